import { fileURLToPath } from "node:url";
import { CulvertError, ShimError } from "../../ffi/error.ts";
import { readKernelFile } from "../linux/kernel_file.ts";
import { removeLink, setUp, withoutIpv6Address } from "../linux/netlink.ts";

const FAR_END = fileURLToPath(new URL("./far_end.ts", import.meta.url));

/** TCP_LISTEN, as the kernel writes it. */
const LISTENS = "0A";

/** The permission to load the shim. The working directory is the project's folder. */
export const FFI = "--allow-ffi=.cache/shim/libculvert.so";

/**
 * A network namespace with one veth, whose near end stays here: a machine at the end of a cable.
 * The near end has no IPv6 address, or this machine would answer on it too.
 */
export class Namespace implements AsyncDisposable {
  private constructor(private readonly near: string, private readonly holder: Deno.ChildProcess) {}

  /**
   * Make it, with both ends up.
   *
   * @param near Interface name of the end that stays here, 15 characters at most.
   * @param address IPv4 address of the far end, in a network of 24 bits.
   * @throws {CulvertError} without CAP_NET_ADMIN and CAP_SYS_ADMIN, or if the name is taken.
   */
  static async create(near: string, address: string): Promise<Namespace> {
    const program = [Deno.execPath(), "run", "--no-prompt", FFI, FAR_END, near, address];
    const io = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    const holder = new Deno.Command("unshare", { args: ["--net", ...program], ...io }).spawn();
    const made = new Namespace(near, holder);
    const isUp = !(await holder.stdout.getReader().read()).done;
    if (!isUp) {
      const said = (await new Response(holder.stderr).text()).trim();
      throw new CulvertError(
        `Cannot make a network namespace with the veth ${near}: ${said} (in a ` +
          "container: is it a privileged one?)",
      );
    }
    try {
      withoutIpv6Address(near);
      setUp(near);
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The command that runs `program` in this namespace. */
  command(...program: string[]): string[] {
    return ["nsenter", "--target", `${this.holder.pid}`, "--net", "--", ...program];
  }

  /** Whether a program listens at a TCP port here. */
  listens(port: number): boolean {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    return ["tcp", "tcp6"].some((file) => { // proc_pid_net(5): the second word is the local end
      const lines = readKernelFile(`/proc/${this.holder.pid}/net/${file}`).split("\n");
      const words = lines.map((line) => line.trim().split(/\s+/));
      return words.some(([, end, , state]) => end?.endsWith(local) && state === LISTENS);
    });
  }

  /** Remove it, and the veth with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try { // else the kernel removes it only some time after the namespace
      removeLink(this.near);
    } catch (error) {
      if (!(error instanceof ShimError)) throw error;
    }
    await this.holder.stdin.close();
    await this.holder.status;
  }
}
