import { CulvertError } from "../../ffi/error.ts";
import { pause } from "../waiting.ts";
import { HUGEPAGE_BYTES, reserveHugepages } from "./hugepages.ts";
import { Testpmd } from "./testpmd.ts";

/** Memory of each testpmd: 16384 mbufs take 40 MiB. */
const MEBIBYTES = 128;

/** testpmd's `--txpkts` counts the 4 bytes of a frame check sequence that it does not send. */
const FCS = 4;

/** Forwarding before a sample is taken, in milliseconds. */
const WARM_UP = 300;

/** Two testpmd with a device between them. */
export interface FlowPairOptions {
  /** Length of a frame, 60 to 1514 bytes. */
  readonly frameBytes: number;
  /** `--vdev` of the end that makes frames, counts and frees them. */
  readonly generatorVdev: string;
  /** `--vdev` of the end that swaps addresses. */
  readonly swapperVdev: string;
  /** The swapper is started first: it has the server's socket. Default: the generator is. */
  readonly swapperFirst?: boolean;
  /** Frames per call. */
  readonly burst: number;
  /** The generator's core. Default 0. */
  readonly generatorCore?: number;
  /** The swapper's core. Default 1. */
  readonly swapperCore?: number;
}

/** A peer that makes its own load. */
export interface Peer extends AsyncDisposable {
  /**
   * Run it for some seconds, after a short warm-up, and leave it idle again.
   *
   * @returns Million frames per second that came back, whole, to where they were made.
   * @throws {CulvertError} if frames came back with another length.
   */
  sample(seconds: number): Promise<number>;
}

/**
 * Two `dpdk-testpmd`, flowgen on one core and macswap on another. flowgen allocates each frame and
 * writes its 42 bytes of headers; macswap reads and writes 12; flowgen counts and frees what comes
 * back and looks at none of it. Between samples both sleep.
 *
 * Memory comes from hugepages: zero-copy does not work without them. For copies `--no-huge` was no
 * better: even, or up to 20 % slower.
 *
 * @throws {CulvertError} if DPDK is missing, without root, or without hugepages.
 */
export async function startFlowPair(options: FlowPairOptions): Promise<Peer> {
  await using resources = new AsyncDisposableStack();
  resources.use(await reserveHugepages(2 * MEBIBYTES * 1024 * 1024 / HUGEPAGE_BYTES));
  const { generatorCore = 0, swapperCore = 1, frameBytes, burst } = options;
  const args = ["--total-num-mbufs=16384", "--mbcache=256", `--burst=${burst}`];
  const memory = { mebibytes: MEBIBYTES, huge: true };
  const start = async (
    mode: "flowgen" | "macswap",
    [core, mainCore]: readonly [number, number],
    vdev: string,
    ...more: string[]
  ) => {
    const testpmd = { mode, core, mainCore, vdevs: [vdev], memory, args: [...args, ...more] };
    return resources.use(await Testpmd.open(testpmd));
  };
  const startGenerator = () => {
    const length = `--txpkts=${frameBytes + FCS}`;
    return start("flowgen", [generatorCore, swapperCore], options.generatorVdev, length);
  };
  const startSwapper = () => {
    return start("macswap", [swapperCore, generatorCore], options.swapperVdev);
  };
  const first = options.swapperFirst ? await startSwapper() : undefined;
  const generator = await startGenerator();
  const swapper = first ?? await startSwapper();
  await Promise.all([generator.linkUp(0), swapper.linkUp(0)]);
  return new FlowPair(generator, swapper, frameBytes, resources.move());
}

class FlowPair implements Peer {
  readonly #generator: Testpmd;
  readonly #swapper: Testpmd;
  readonly #frameBytes: number;
  readonly #resources: AsyncDisposableStack;

  constructor(
    generator: Testpmd,
    swapper: Testpmd,
    frameBytes: number,
    resources: AsyncDisposableStack,
  ) {
    this.#generator = generator;
    this.#swapper = swapper;
    this.#frameBytes = frameBytes;
    this.#resources = resources;
  }

  async sample(seconds: number): Promise<number> {
    await this.#swapper.start();
    await this.#generator.start();
    await pause(WARM_UP);
    await this.#generator.stats(0);
    await pause(seconds * 1000);
    const { rxRate } = await this.#generator.stats(0);
    await this.#generator.stop();
    const { rx, rxBytes } = await this.#generator.stats(0);
    await this.#swapper.stop();
    if (rx === 0 || rxBytes !== rx * this.#frameBytes) {
      throw new CulvertError(
        `Cannot count testpmd's frames as ${rx} came back with ${rxBytes} bytes: ` +
          `each has to have ${this.#frameBytes}`,
      );
    }
    return rxRate / 1e6;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
