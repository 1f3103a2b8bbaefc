import assert from "node:assert/strict";
import { Debian, type DebianRoot } from "./debian.ts";
import { childrenOf, isThere } from "./processes.ts";
import type { Running } from "./running.ts";
import { BOOT_MS, PATIENCE_MS, waitUntil } from "./wait.ts";

/** What a command in it finds in its environment. */
const ENVIRONMENT = [
  "HOME=/root",
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];

/** Starts a program with a /run/systemd/nspawn of its own, which systemd-nspawn leaves files in. */
const NOTES_OF_ITS_OWN = `
mkdir -p /run/systemd/nspawn && mount -t tmpfs none /run/systemd/nspawn && exec "$0" "$@"`;

/** The control groups that systemd-nspawn makes below those of this process. */
async function cgroups(): Promise<string[]> {
  const lines = (await Deno.readTextFile("/proc/self/cgroup")).split("\n");
  return lines.flatMap((line) => {
    const [, kind, path] = /^\d+:(name=systemd)?:(.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    const mounts = kind ? ["/systemd"] : ["/unified", ""];
    return mounts.flatMap((mount) =>
      ["payload", "supervisor"].map((name) => `/sys/fs/cgroup${mount}${path}/${name}`)
    );
  });
}

/**
 * A Debian that runs in a container of systemd-nspawn's: its kernel is this machine's, all else is
 * its own. It starts in seconds, as nothing is emulated.
 */
export class DebianContainer extends Debian {
  private constructor(private readonly nspawn: Running, private readonly init: number) {
    super();
  }

  /**
   * Boot it.
   *
   * @param netns Its network namespace.
   * @param binds Files of this machine that it has, too: `FILE:PATH`, a path in it.
   */
  static async boot(
    root: DebianRoot,
    { netns, binds = [] }: { netns: string; binds?: readonly string[] },
  ): Promise<DebianContainer> {
    const nspawn = root.programs.start(
      // By `--network-namespace-path` /sys would have this machine's interfaces.
      ...["nsenter", `--net=/run/netns/${netns}`],
      // All that is in it ends with the first of these processes, also if that is killed.
      ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
      ...["sh", "-c", NOTES_OF_ITS_OWN, "systemd-nspawn", "--quiet"],
      ...["--boot", `--directory=${root.folder}`, "--register=no", "--keep-unit", "--console=pipe"],
      ...["--capability=CAP_NET_ADMIN,CAP_BPF", "--system-call-filter=bpf @aio"],
      "--bind=/dev/net/tun",
      ...binds.map((bind) => `--bind=${bind}`),
    );
    const init = () =>
      childrenOf(nspawn.pid).flatMap(({ pid }) => childrenOf(pid))
        .find(({ name }) => name === "systemd")?.pid;
    await waitUntil(() => nspawn.isOver || init() !== undefined, BOOT_MS);
    const pid = init();
    assert(pid !== undefined, `systemd-nspawn starts nothing: ${nspawn.stdout}${nspawn.stderr}`);
    const container = new DebianContainer(nspawn, pid);
    try {
      await container.booted(BOOT_MS);
      return container;
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
  }

  override async run(line: string, milliseconds = PATIENCE_MS): Promise<string> {
    const command = new Deno.Command("nsenter", {
      args: [
        ...[`--target=${this.init}`, "--all", "env", "-i", ...ENVIRONMENT],
        ...["timeout", `${milliseconds}e-3`, "bash", "-c", `exec 2>&1; ${line}`],
      ],
      stdin: "null",
    });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    const said = decoder.decode(stdout);
    assert.equal(code, 0, `${line}: ${said}${decoder.decode(stderr)}`);
    return said.trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.nspawn.kill("SIGKILL");
    await this.nspawn.ended(PATIENCE_MS).catch(() => {});
    await waitUntil(() => !isThere(this.init));
    for (const folder of await cgroups()) {
      const args = [folder, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"];
      await new Deno.Command("find", { args, stderr: "null" }).output();
    }
  }
}
