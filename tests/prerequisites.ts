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

async function isThere(program: string): Promise<boolean> {
  const args = ["-c", `command -v ${program}`];
  return (await new Deno.Command("sh", { args, stdout: "null" }).output()).success;
}

async function missingPackages(): Promise<string[]> {
  const missing = [];
  for (const [program, packages] of Object.entries(PACKAGES)) {
    if (!await isThere(program)) missing.push(packages);
  }
  for (const [file, packages] of Object.entries(LIBRARIES)) {
    if (!await Deno.stat(file).catch(() => undefined)) missing.push(packages);
  }
  return missing.flatMap((packages) => packages.split(" "));
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
  if (missing.length === 0) return;
  const install = ["install", "-y", "--no-install-recommends", ...missing];
  if (Deno.uid() !== 0 || !await isThere("apt-get")) {
    console.error(
      `Tests will fail, for these are not installed: ${missing.join(" ")}\nOn Debian, as ` +
        `root:\n  apt-get ${install.join(" ")}`,
    );
    return;
  }
  console.error(`Installing what the tests call, some minutes: ${missing.join(" ")}`);
  if (await apt("update") && await apt(...install)) return;
  throw new Error("Cannot install what the tests call, see above");
}
