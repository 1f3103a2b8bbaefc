import { CulvertError } from "../../ffi/error.ts";

/** Debian packages of the programs that are used here. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  unshare: "util-linux",
  mount: "mount",
  ping: "iputils-ping",
  iperf3: "iperf3",
  "qemu-system-x86_64": "qemu-system-x86",
  lz4: "lz4",
  busybox: "busybox-static",
};

/**
 * See that programs are installed.
 *
 * @throws {CulvertError} naming all that are not, and the command that installs them.
 */
export async function requirePrograms(programs: readonly string[]): Promise<void> {
  const missing = [];
  for (const program of programs) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${program}`],
      stdout: "null",
    }).output();
    if (!success) missing.push(program);
  }
  if (missing.length === 0) return;
  throw new CulvertError(
    `Cannot go on as ${missing.join(", ")} is not installed: on Debian\n` +
      `  apt-get install --no-install-recommends ${
        missing.map((name) => PACKAGES[name]).join(" ")
      }`,
  );
}

/**
 * Run a program to its end.
 *
 * @returns its standard output.
 * @throws {CulvertError} with what it said, if it fails.
 */
async function run(program: string, ...args: string[]): Promise<string> {
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (output.success) return decoder.decode(output.stdout);
  const said = decoder.decode(output.stderr).trim();
  throw new CulvertError(`Cannot run \`${[program, ...args].join(" ")}\` as it says: ${said}`);
}

/**
 * A network namespace with one veth, whose near end stays here: a host at the end of a cable. The near end
 * has no IPv6 address, or this machine would answer on it too.
 */
export class VethNamespace implements AsyncDisposable {
  private constructor(readonly name: string, readonly near: string, readonly far: string) {}

  /**
   * Make it, with both ends up.
   *
   * @param name Of the namespace.
   * @param near Interface name of the end that stays here, 15 characters at most.
   * @param addresses Of the far end, such as `10.0.0.1/24`.
   * @throws {CulvertError} without CAP_NET_ADMIN and CAP_SYS_ADMIN, or if there is no `ip`.
   */
  static async create(name: string, near: string, addresses: string[]): Promise<VethNamespace> {
    const made = new VethNamespace(name, near, "far");
    const advice = `(left by a demo that was killed? ip netns del ${name}; ip link del ${near})`;
    await run("ip", "netns", "add", name).catch((error) => {
      throw new CulvertError(`${error.message} ${advice}`);
    });
    const veth = ["type", "veth", "peer", "name", "far", "netns", name];
    await run("ip", "link", "add", near, ...veth).catch(async (error) => {
      await run("ip", "netns", "del", name);
      throw new CulvertError(`${error.message} ${advice}`);
    });
    try {
      await run("ip", "link", "set", near, "addrgenmode", "none", "up");
      for (const address of addresses) {
        await run("ip", "-n", name, "addr", "add", address, "dev", "far", "nodad");
      }
      await run("ip", "-n", name, "link", "set", "far", "up");
      await run("ip", "-n", name, "link", "set", "lo", "up");
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The command that runs `program` in this namespace. */
  command(...program: string[]): string[] {
    return ["ip", "netns", "exec", this.name, ...program];
  }

  /** Remove it, and the veth with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    // The veth goes at some time after its namespace; by its near end it goes now.
    await run("ip", "link", "del", this.near).catch(() => {});
    await run("ip", "netns", "del", this.name).catch(() => {});
  }
}
