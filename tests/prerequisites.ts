/** Programs that the tests call, and the Debian packages that bring them. */
const PACKAGES: Readonly<Record<string, string>> = {
  cc: "gcc libc6-dev",
  gcc: "gcc libc6-dev", // spin calls it by this name
  spin: "spin",
  clang: "clang",
  ip: "iproute2",
  ping: "iputils-ping",
  iperf3: "iperf3",
  tmux: "tmux",
  prometheus: "prometheus",
  promtool: "prometheus",
  chromium: "chromium",
  tcpdump: "tcpdump",
  tshark: "tshark",
  ethtool: "ethtool",
  python3: "python3-minimal",
  setpriv: "util-linux",
  "qemu-system-x86_64": "qemu-system-x86",
  libvirtd: "libvirt-daemon-system libvirt-daemon-system-sysv libvirt-clients",
  apparmor_parser: "apparmor",
  "systemd-tmpfiles": "systemd",
  lz4: "lz4",
  busybox: "busybox-static",
  "dpdk-testpmd": "dpdk",
  "pkg-config": "pkg-config",
  mandoc: "mandoc",
  zsh: "zsh",
  fish: "fish",
  npm: "npm",
  mmdebstrap: "mmdebstrap",
  "mkfs.ext4": "e2fsprogs",
  "systemd-analyze": "systemd",
  "systemd-nspawn": "systemd-container",
  ssh: "openssh-client",
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
  "qemu-aarch64-static": "qemu-user-static",
};

/** Packages that bring no program in PATH: headers, libraries, daemons. */
const LIBRARIES: Readonly<Record<string, string>> = {
  "/usr/lib/frr/bgpd": "frr",
  "/usr/include/dpdk/rte_ring.h": "dpdk-dev libdpdk-dev",
  "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.tsan-x86_64.a": "libclang-rt-14-dev",
};

/** Programs that Debian 12 has in its backports alone, and their packages. */
const BACKPORTS: Readonly<Record<string, string>> = { suricata: "suricata" };

async function isThere(program: string): Promise<boolean> {
  const args = ["-c", `command -v ${program}`];
  return (await new Deno.Command("sh", { args, stdout: "null" }).output()).success;
}

async function missingPrograms(of: Readonly<Record<string, string>>): Promise<string[]> {
  const missing = [];
  for (const [program, packages] of Object.entries(of)) {
    if (!await isThere(program)) missing.push(packages);
  }
  return missing;
}

async function missingPackages(): Promise<string[]> {
  const missing = await missingPrograms(PACKAGES);
  for (const [file, packages] of Object.entries(LIBRARIES)) {
    if (!await Deno.stat(file).catch(() => undefined)) missing.push(packages);
  }
  return missing.flatMap((packages) => packages.split(" "));
}

/**
 * Install from Debian's backports, at the mirror that apt knows. Where packages come from otherwise
 * stays as it is.
 */
async function installFromBackports(packages: readonly string[]): Promise<boolean> {
  const format = "$(REPO_URI)";
  const args = ["indextargets", "--format", format, "Codename: bookworm", "Created-By: Packages"];
  const { stdout } = await new Deno.Command("apt-get", { args }).output();
  const [mirror] = new TextDecoder().decode(stdout).split("\n");
  const folder = await Deno.makeTempDir();
  try {
    await Deno.chmod(folder, 0o755);
    for (const { name } of Deno.readDirSync("/etc/apt/sources.list.d")) {
      await Deno.copyFile(`/etc/apt/sources.list.d/${name}`, `${folder}/${name}`);
    }
    const key = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";
    const source = `deb [${key}] ${mirror} bookworm-backports main\n`;
    await Deno.writeTextFile(`${folder}/backports.list`, source);
    const where = ["-o", `Dir::Etc::SourceParts=${folder}`];
    const install = ["install", "-y", "--no-install-recommends", "-t", "bookworm-backports"];
    return await apt(...where, "update") && await apt(...where, ...install, ...packages);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function apt(...args: string[]): Promise<boolean> {
  console.error(`$ apt-get ${args.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const { success } = await new Deno.Command("apt-get", { args, env, stdout: "null" }).spawn()
    .status;
  return success;
}

/**
 * Install the programs that the tests call: as root on Debian. Elsewhere print the command that
 * does it; tests that need a missing program fail.
 */
export async function installPrerequisites(): Promise<void> {
  const missing = await missingPackages();
  const later = await missingPrograms(BACKPORTS);
  if (missing.length + later.length === 0) return;
  const install = ["install", "-y", "--no-install-recommends", ...missing];
  if (Deno.uid() !== 0 || !await isThere("apt-get")) {
    console.error(
      `Tests will fail, for these are not installed: ${[...missing, ...later].join(" ")}\nOn ` +
        `Debian, as root:\n  apt-get ${install.join(" ")}\nand from backports: ${later.join(" ")}`,
    );
    return;
  }
  console.error(
    `Installing what the tests call, some minutes: ${[...missing, ...later].join(" ")}`,
  );
  const areThere = missing.length === 0 || await apt("update") && await apt(...install);
  if (areThere && (later.length === 0 || await installFromBackports(later))) return;
  throw new Error("Cannot install what the tests call, see above");
}
