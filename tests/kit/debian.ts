import assert from "node:assert/strict";
import type { Programs } from "./programs.ts";
import { waitUntil } from "./wait.ts";

/** What the Debian has, besides systemd. */
const PACKAGES = [
  ...["systemd-sysv", "systemd", "udev", "iproute2", "iputils-ping", "procps", "openssh-server"],
  "cloud-init",
];

/** Downloading and unpacking it may take so long, and so may a command under emulation. */
const BUILD_MS = 600_000, COMMAND_MS = 300_000;

/** Units that would only take time. */
const MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer"]
  .concat(["e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer"])
  .concat(["systemd-timesyncd.service", "systemd-hwdb-update.service", "ldconfig.service"])
  .concat(["getty@tty1.service", "serial-getty@ttyS0.service", "systemd-pstore.service"])
  .concat(["systemd-logind.service", "cloud-config.service"]);

/** The root of a Debian with systemd, in a folder; it can be changed before it boots. */
export class DebianRoot implements AsyncDisposable {
  private constructor(readonly folder: string, readonly programs: Programs) {}

  /** Make one, of the Debian packages that apt finds on this machine. */
  static async create(programs: Programs): Promise<DebianRoot> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-debian-" });
    const root = new DebianRoot(`${folder}/root`, programs);
    const include = `--include=${PACKAGES.join(",")}`;
    // In a namespace of its own: what it mounts goes with it, also if it is killed, and is not
    // removed with the folder.
    await root.run(
      ...["unshare", "--mount"],
      "mmdebstrap",
      "--mode=root",
      "--variant=minbase",
      include,
      "bookworm",
      root.folder,
    );
    await root.write("etc/hostname", "debian\n");
    await root.systemctl("mask", ...MASKED);
    return root;
  }

  /** Write a file, by its path from the root. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const file = `${this.folder}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text, { mode });
  }

  /** Change which units start at boot. */
  async systemctl(...args: string[]): Promise<void> {
    await this.run("systemctl", `--root=${this.folder}`, ...args);
  }

  /** Run a program of the Debian's before it boots. */
  async chroot(...command: string[]): Promise<void> {
    await this.run("chroot", this.folder, ...command);
  }

  /** Run a program of this machine on it. */
  async run(...command: string[]): Promise<void> {
    const ended = await this.programs.start(...command).ended(BUILD_MS);
    assert.equal(ended.code, 0, `${command.join(" ")}: ${ended.stdout}${ended.stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder.slice(0, this.folder.lastIndexOf("/")), { recursive: true });
  }
}

/** A Debian that has booted. */
export abstract class Debian implements AsyncDisposable {
  /** What a shell's command line says there; it has to end with status 0. */
  abstract run(line: string, milliseconds?: number): Promise<string>;

  /** Wait until a command line says something that matches. */
  async until(line: string, wanted: RegExp, milliseconds = COMMAND_MS): Promise<string> {
    let said = "";
    const matches = async () => wanted.test(said = await this.run(line, milliseconds));
    assert(await waitUntil(matches, milliseconds), `${line}: ${said}`);
    return said;
  }

  /** Wait until systemd has started all that it was to start. */
  protected async booted(milliseconds: number): Promise<void> {
    const ask = "systemctl is-system-running --wait || true";
    await this.until(ask, /^(running|degraded)$/m, milliseconds);
  }

  abstract [Symbol.asyncDispose](): Promise<void>;
}
