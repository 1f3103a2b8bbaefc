import assert from "node:assert/strict";
import type { Programs } from "./programs.ts";
import type { Running } from "./running.ts";
import { waitUntil } from "./wait.ts";

/** What the VM has, besides systemd and a kernel. */
const PACKAGES = [
  ...["systemd-sysv", "systemd", "dbus", "udev", "iproute2", "iputils-ping", "procps", "kmod"],
  ...["linux-image-cloud-amd64", "initramfs-tools", "zstd", "openssh-server"],
];

/** Downloading and unpacking it may take so long, and so may booting under emulation. */
const BUILD_MS = 600_000, BOOT_MS = 300_000, COMMAND_MS = 120_000;

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
  .concat(["e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer"]);

/** The root of a Debian with systemd, in a folder; it can be changed before it boots. */
export class DebianRoot implements AsyncDisposable {
  private constructor(readonly folder: string, private readonly programs: Programs) {}

  /** Make one, of the Debian packages that apt finds on this machine. */
  static async create(programs: Programs): Promise<DebianRoot> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-debian-" });
    const root = new DebianRoot(`${folder}/root`, programs);
    const include = `--include=${PACKAGES.join(",")}`;
    await root.#run(
      "mmdebstrap",
      "--mode=root",
      "--variant=minbase",
      include,
      "bookworm",
      root.folder,
    );
    await root.write("usr/local/sbin/agent", AGENT, 0o755);
    await root.write("etc/systemd/system/agent.service", AGENT_UNIT);
    await root.write("etc/fstab", "/dev/vda / ext4 rw 0 1\n");
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
    const names = [...Deno.readDirSync(`${this.folder}/boot`)].map(({ name }) => name);
    const found = (prefix: string) =>
      `${this.folder}/boot/${names.find((name) => name.startsWith(prefix))}`;
    const qemu = this.programs.start(
      ...["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi"],
      ...["-smp", "1,maxcpus=2", "-cpu", "max,erms=off,fsrm=off", "-m", "1024"],
      ...["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"],
      ...["-kernel", found("vmlinuz"), "-initrd", found("initrd")],
      ...["-append", "root=/dev/vda rw console=ttyS0 no_timer_check"],
      ...["-drive", `file=${disk},format=raw,if=virtio`, "-device", "virtio-serial"],
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
