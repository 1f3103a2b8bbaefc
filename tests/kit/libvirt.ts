/** A libvirtd of a test's own. */
import assert from "node:assert/strict";
import { BOOT_MS, type Lab, type Running, waitUntil } from "./lab.ts";

/** Folders that libvirtd keeps things in: in a mount namespace, it finds them empty. */
const FOLDERS = "/run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt";

/** As little of a configuration as possible: QEMU's console is not given to a daemon of its own. */
const START = `
for folder in ${FOLDERS}; do mkdir -p $folder && mount -t tmpfs -o mode=755 none $folder; done
echo 'stdio_handler = "file"' > /etc/libvirt/qemu.conf
exec libvirtd`;

/** Debian's libvirtd, whose QEMU is user libvirt-qemu. All that it keeps goes with it. */
export class Libvirt implements AsyncDisposable {
  readonly #domains: string[] = [];

  private constructor(private readonly lab: Lab, private readonly daemon: Running) {}

  static async start(lab: Lab): Promise<Libvirt> {
    const daemon = lab.start("unshare", "--mount", "sh", "-c", START);
    const libvirt = new Libvirt(lab, daemon);
    const answers = async () => (await libvirt.#virsh("version")).code === 0;
    assert(await waitUntil(answers, BOOT_MS), `libvirtd does not answer: ${daemon.stderr}`);
    return libvirt;
  }

  /** Define a domain by its document, and start it: what virsh says if it cannot. */
  async run(xml: string): Promise<string | undefined> {
    const file = await Deno.makeTempFile({ suffix: ".xml" });
    try {
      await Deno.writeTextFile(file, xml);
      const defined = await this.#virsh("define", file);
      assert.equal(defined.code, 0, defined.stderr);
      const [, domain] = /<name>(.*)<\/name>/.exec(xml)!;
      const { code, stderr } = await this.#virsh("start", domain);
      if (code === 0) this.#domains.push(domain);
      else await this.#virsh("undefine", domain);
      return code === 0 ? undefined : stderr;
    } finally {
      await Deno.remove(file);
    }
  }

  /** Pull the plug of all that runs. */
  async destroyAll(): Promise<void> {
    for (const domain of this.#domains.splice(0)) {
      const { code, stderr } = await this.#virsh("destroy", domain);
      assert.equal(code, 0, stderr);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroyAll();
    await this.daemon.stop("SIGTERM");
  }

  #virsh(...args: string[]) {
    return this.lab.tryRun("nsenter", "-t", `${this.daemon.pid}`, "--mount", "virsh", ...args);
  }
}
