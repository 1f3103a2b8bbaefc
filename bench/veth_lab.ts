import { fileURLToPath } from "node:url";

/** Two veth pairs, each with its far end in a namespace of its own; gone when disposed. */
export class VethLab implements AsyncDisposable {
  /** The near ends, which a forwarder gets. */
  readonly near: readonly [string, string] = [`cvb${Deno.pid}a`, `cvb${Deno.pid}b`];
  readonly #far = ["farA", "farB"] as const;
  readonly #namespaces = [`cvb${Deno.pid}A`, `cvb${Deno.pid}B`] as const;

  private constructor() {}

  /**
   * Make them.
   *
   * @throws {Error} without CAP_NET_ADMIN, or if there is no `ip`.
   */
  static async open(): Promise<VethLab> {
    const lab = new VethLab();
    try {
      for (const i of [0, 1]) {
        const [near, far, namespace] = [lab.near[i], lab.#far[i], lab.#namespaces[i]];
        await ip(`netns add ${namespace}`);
        await ip(`link add ${near} type veth peer name ${far} netns ${namespace}`);
        await ip(`link set ${near} addrgenmode none up`);
        await ip(`-n ${namespace} link set ${far} addrgenmode none up`);
      }
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** Send on the first far end for some seconds, as fast as one core can. */
  generate(frameBytes: number, seconds: number, core: number): Deno.ChildProcess {
    const script = fileURLToPath(new URL("./veth_generator.ts", import.meta.url));
    const program = [Deno.execPath(), "run", "-A", script, this.#far[0]];
    const args = ["netns", "exec", this.#namespaces[0], ...program]
      .concat(String(frameBytes), String(seconds), String(core));
    return new Deno.Command("ip", { args, stdout: "null" }).spawn();
  }

  /** Frames that have arrived at the second far end. */
  async delivered(): Promise<number> {
    const text = await ip(`-n ${this.#namespaces[1]} -s -j link show dev ${this.#far[1]}`);
    return JSON.parse(text)[0].stats64.rx.packets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces) await ip(`netns del ${namespace}`).catch(() => {});
    for (const near of this.near) await ip(`link del ${near}`).catch(() => {});
  }
}

async function ip(line: string): Promise<string> {
  const output = await new Deno.Command("ip", { args: line.split(" ") }).output();
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`ip ${line}: ${decoder.decode(output.stderr)}`);
  return decoder.decode(output.stdout);
}
