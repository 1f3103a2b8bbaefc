import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { cpioDirectory, cpioFile, encodeCpio } from "../../app/vm/cpio.ts";
import { findKernel } from "../../app/vm/kernel.ts";
import { readModules } from "../../app/vm/modules.ts";
import { Debian, type DebianRoot } from "./debian.ts";
import type { Running } from "./running.ts";
import { waitUntil } from "./wait.ts";

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

/** Booting under emulation may take so long, and so may a command. */
const BOOT_MS = 600_000, COMMAND_MS = 300_000;

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

/** A Debian in a VM, with a kernel of its own. */
export class DebianVm extends Debian {
  #rest = "";

  private constructor(private readonly qemu: Running, private readonly agent: Deno.UnixConn) {
    super();
  }

  /**
   * Boot it under emulation.
   *
   * @param qemuArgs Further devices.
   */
  static async boot(root: DebianRoot, qemuArgs: readonly string[]): Promise<DebianVm> {
    await root.write("usr/local/sbin/agent", AGENT, 0o755);
    await root.write("etc/systemd/system/agent.service", AGENT_UNIT);
    await root.systemctl("enable", "agent.service");
    await root.write("etc/fstab", "/dev/vda / ext4 rw 0 0\n");
    const disk = `${root.folder}.img`, socket = `${root.folder}.sock`;
    await root.run("mkfs.ext4", "-q", "-d", root.folder, disk, "1600M");
    const kernel = await findKernel({ cacheDir: CACHE, log() {} });
    await Deno.writeFile(`${root.folder}.initrd`, await initrdOf(kernel.modules!));
    const qemu = root.programs.start(
      ...["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi"],
      ...["-smp", "1,maxcpus=2", "-cpu", "max,erms=off,fsrm=off", "-m", "1024"],
      ...["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"],
      ...["-kernel", kernel.image, "-initrd", `${root.folder}.initrd`],
      ...["-append", "console=ttyS0 quiet no_timer_check tsc=reliable"],
      ...["-drive", `file=${disk},format=raw,if=virtio,cache=unsafe`, "-device", "virtio-serial"],
      ...["-chardev", `socket,id=agent,path=${socket},server=on,wait=off`],
      ...["-device", "virtserialport,chardev=agent,name=agent"],
      ...qemuArgs,
    );
    const isThere = () => Deno.stat(socket).then(() => true, () => false);
    assert(await waitUntil(isThere), `QEMU makes no socket: ${qemu.stderr}`);
    const vm = new DebianVm(qemu, await Deno.connect({ transport: "unix", path: socket }));
    await vm.booted(BOOT_MS);
    return vm;
  }

  override async run(line: string, milliseconds = COMMAND_MS): Promise<string> {
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
