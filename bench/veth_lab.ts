import { fileURLToPath } from "node:url";
import { type CableEnd, Network } from "../tests/kit/network.ts";
import type { Running } from "../tests/kit/running.ts";

const GENERATOR = fileURLToPath(new URL("./veth_generator.ts", import.meta.url));

/** Two veth pairs, each with its far end in a namespace of its own; gone when disposed. */
export class VethLab implements AsyncDisposable {
  private constructor(
    private readonly network: Network,
    private readonly a: CableEnd,
    private readonly b: CableEnd,
  ) {}

  /**
   * Make them.
   *
   * @throws {AssertionError} without CAP_NET_ADMIN, or if there is no `ip`.
   */
  static async open(): Promise<VethLab> {
    await using made = new AsyncDisposableStack();
    const network = made.use(new Network());
    const { a, b } = await network.namespacePair({ quiet: true });
    made.move();
    return new VethLab(network, a, b);
  }

  /** The near ends, which a forwarder gets. */
  get near(): readonly [string, string] {
    return [this.a.outer, this.b.outer];
  }

  /** Send on the first far end for some seconds, as fast as one core can. */
  generate(frameBytes: number, seconds: number, core: number): Running {
    const { netns, inner } = this.a;
    const program = [Deno.execPath(), "run", "-A", GENERATOR, inner];
    const args = [frameBytes, seconds, core].map(String);
    return this.network.start("ip", "netns", "exec", netns, ...program, ...args);
  }

  /** Frames that have arrived at the second far end. */
  async delivered(): Promise<number> {
    const { netns, inner } = this.b;
    const { stdout } = await this.network.run("ip", "-n", netns, "-s", "-j", "link", "show", inner);
    return JSON.parse(stdout)[0].stats64.rx.packets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
  }
}
