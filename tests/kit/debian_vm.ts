import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { cpioDirectory, cpioFile, encodeCpio } from "../../app/vm/cpio.ts";
import { findKernel } from "../../app/vm/kernel.ts";
import { readModules } from "../../app/vm/modules.ts";
import type { Programs } from "./programs.ts";
import type { Running } from "./running.ts";
import { waitUntil } from "./wait.ts";

/** What the VM has, besides systemd. */
const PACKAGES = [
  ...["systemd-sysv", "systemd", "udev", "iproute2", "iputils-ping", "procps", "openssh-server"],
  "cloud-init",
];

/**
 * Modules of its kernel, loaded before systemd starts: so the VM has no others, and no program that
 * finds them.
 */
const MODULES = [
  ...["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_net", "virtio_console"],
  ...["tun", "veth"],
];

/** Loads them, and goes on with the disk. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done < /modules/order
until /bin/busybox mount -t ext4 /dev/vda /disk; do /bin/busybox usleep 50000; done
exec /bin/busybox switch_root /disk /sbin/init
`;

/** The kernel that `culvert qemu` boots, too. */
const CACHE = fileURLToPath(new URL("../../.cache/vm", import.meta.url));

/** Downloading and unpacking it may take so long, and so may booting under emulation. */
const BUILD_MS = 600_000, BOOT_MS = 600_000, COMMAND_MS = 300_000;

/** Does what comes by a virtio port, a line at a time; answers what it said, a NUL, its status. */
const AGENT = `#!/bin/bash
exec 3<>/dev/virtio-ports/agent
while read -r -u 3 line; do
  out=$(bash -c "$line" 2>&1 </dev/null); code=$?
  printf '%s\\n\\0%d\\n' "$out" "$code" >&3
done
`;

const AGENT_UNIT = `[Unit]
DefaultDependencies=no
Wants=dev-virtio\\x2dports-agent.device
After=dev-virtio\\x2dports-agent.device
[Service]
ExecStart=/usr/local/sbin/agent
[Install]
WantedBy=sysinit.target
`;

/** Units that would only take time. */
const MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer"]
  .concat(["e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer"])
  .concat(["systemd-timesyncd.service", "systemd-hwdb-update.service", "ldconfig.service"])
  .concat(["getty@tty1.service", "serial-getty@ttyS0.service", "systemd-pstore.service"])
  .concat(["systemd-logind.service", "cloud-config.service"]);

/** What the kernel unpacks first: busybox, modules, and `INIT`. */
async function initrdOf(modules: string): Promise<Uint8Array> {
  const all = await readModules(modules, MODULES, () => {/* it is built in */});
  const order = all.map(({ name }) => `${name}\n`).join("");
  const pieces = encodeCpio([
    ...["dev", "disk"].map(cpioDirectory),
    cpioFile("bin/busybox", await Deno.readFile("/bin/busybox"), true),
    cpioFile("init", INIT, true),
    ...all.map(({ name, content }) => cpioFile(`modules/${name}`, content)),
    cpioFile("modules/order", order),
  ]);
  return new Uint8Array(await new Blob([...pieces] as BlobPart[]).arrayBuffer());
}

/** The root of a Debian with systemd, in a folder; it can be changed before it boots. */
export class DebianRoot implements AsyncDisposable {
  private constructor(readonly folder: string, private readonly programs: Programs) {}

  /** Make one, of the Debian packages that apt finds on this machine. */
  static async create(programs: Programs): Promise<DebianRoot> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-debian-" });
    const root = new DebianRoot(`${folder}/root`, programs);
    const include = `--include=${PACKAGES.join(",")}`;
    // In a namespace of its own: what it mounts goes with it, also if it is killed, and is not
    // removed with the folder.
    await root.#run(
      ...["unshare", "--mount"],
      "mmdebstrap",
      "--mode=root",
      "--variant=minbase",
      include,
      "bookworm",
      root.folder,
    );
    await root.write("usr/local/sbin/agent", AGENT, 0o755);
    await root.write("etc/systemd/system/agent.service", AGENT_UNIT);
    await root.write("etc/fstab", "/dev/vda / ext4 rw 0 0\n");
    await root.write("etc/hostname", "debian\n");
    await root.systemctl("enable", "agent.service");
    await root.systemctl("mask", ...MASKED);
    return root;
  }

  /** Write a file of the VM's. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const file = `${this.folder}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text, { mode });
  }

  /** Change which units start at boot. */
  async systemctl(...args: string[]): Promise<void> {
    await this.#run("systemctl", `--root=${this.folder}`, ...args);
  }

  /** Run a program of the VM's before it boots. */
  async chroot(...command: string[]): Promise<void> {
    await this.#run("chroot", this.folder, ...command);
  }

  /**
   * Boot it under emulation.
   *
   * @param qemuArgs Further devices.
   */
  async boot(...qemuArgs: string[]): Promise<DebianVm> {
    const disk = `${this.folder}.img`, socket = `${this.folder}.sock`;
    await this.#run("mkfs.ext4", "-q", "-d", this.folder, disk, "1600M");
    const kernel = await findKernel({ cacheDir: CACHE, log() {} });
    await Deno.writeFile(`${this.folder}.initrd`, await initrdOf(kernel.modules!));
    const qemu = this.programs.start(
      ...["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi"],
      ...["-smp", "1,maxcpus=2", "-cpu", "max,erms=off,fsrm=off", "-m", "1024"],
      ...["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"],
      ...["-kernel", kernel.image, "-initrd", `${this.folder}.initrd`],
      ...["-append", "console=ttyS0 quiet no_timer_check tsc=reliable"],
      ...["-drive", `file=${disk},format=raw,if=virtio,cache=unsafe`, "-device", "virtio-serial"],
      ...["-chardev", `socket,id=agent,path=${socket},server=on,wait=off`],
      ...["-device", "virtserialport,chardev=agent,name=agent"],
      ...qemuArgs,
    );
    const isThere = () => Deno.stat(socket).then(() => true, () => false);
    assert(await waitUntil(isThere), `QEMU makes no socket: ${qemu.stderr}`);
    const vm = new DebianVm(qemu, await Deno.connect({ transport: "unix", path: socket }));
    await vm.run("systemctl is-system-running --wait || true", BOOT_MS);
    return vm;
  }

  async #run(...command: string[]): Promise<void> {
    const ended = await this.programs.start(...command).ended(BUILD_MS);
    assert.equal(ended.code, 0, `${command.join(" ")}: ${ended.stdout}${ended.stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder.slice(0, this.folder.lastIndexOf("/")), { recursive: true });
  }
}

/** A Debian that has booted. */
export class DebianVm implements AsyncDisposable {
  #rest = "";

  constructor(readonly qemu: Running, private readonly agent: Deno.UnixConn) {}

  /** What a shell's command line says there; it has to end with status 0. */
  async run(line: string, milliseconds = COMMAND_MS): Promise<string> {
    await this.agent.write(new TextEncoder().encode(line + "\n"));
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`no answer to: ${line}\n${this.qemu.stdout.slice(-2000)}`)),
      milliseconds,
    );
    try {
      const [text, status] = await Promise.race([this.#answer(), late]);
      assert.equal(status, "0", `${line}: ${text}`);
      return text.trimEnd();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Wait until a command line says something that matches. */
  async until(line: string, wanted: RegExp, milliseconds = COMMAND_MS): Promise<string> {
    let said = "";
    const matches = async () => wanted.test(said = await this.run(line));
    assert(await waitUntil(matches, milliseconds), `${line}: ${said}`);
    return said;
  }

  async #answer(): Promise<[text: string, status: string]> {
    const bytes = new Uint8Array(65536);
    const decoder = new TextDecoder();
    for (;;) {
      const found = /^([^\0]*)\0(\d+)\n/.exec(this.#rest);
      if (found) {
        this.#rest = this.#rest.slice(found[0].length);
        return [found[1], found[2]];
      }
      const n = await this.agent.read(bytes);
      if (n === null) throw new Error(`the VM has gone: ${this.qemu.stdout.slice(-2000)}`);
      this.#rest += decoder.decode(bytes.subarray(0, n), { stream: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.close();
    this.qemu.kill("SIGKILL");
    await this.qemu.ended().catch(() => {});
  }
}
