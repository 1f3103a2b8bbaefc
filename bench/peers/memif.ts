import { HUGEPAGE_BYTES, reserveHugepages } from "./hugepages.ts";
import { Testpmd } from "./testpmd.ts";

/** Memory of each testpmd: 16384 mbufs take 40 MiB. */
const MEBIBYTES = 128;

/** testpmd's `--txpkts` counts the 4 bytes of a frame check sequence that it does not send. */
const FCS = 4;

/** Forwarding before a sample is taken, in milliseconds. */
const WARM_UP = 300;

let started = 0;

/** What goes through DPDK's memif. */
export interface MemifOptions {
  /** Length of a frame, 60 to 1514 bytes. */
  readonly frameBytes: number;
  /**
   * Whether the macswap end works on its own mbufs in shared memory; the other end copies still.
   */
  readonly zeroCopy: boolean;
  /** Frames per call. Default 64, with zero-copy 128: best at both lengths, of 32 to 256. */
  readonly burst?: number;
  /** Slots of each ring, a power of two. Default 4096, with zero-copy 1024: best of 256 and up. */
  readonly ringSize?: number;
  /**
   * How many more times flowgen sends each frame that it wrote (`--flowgen-clones`), below `burst`.
   * Default 0: it allocates a frame and writes its 42 bytes of headers each time.
   */
  readonly clones?: number;
  /** The generator's core. Default 0. */
  readonly generatorCore?: number;
  /** The core of the end that swaps addresses. Default 1. */
  readonly swapperCore?: number;
}

/** A peer that makes its own load. */
export interface Peer extends AsyncDisposable {
  /**
   * Run it for some seconds, after a short warm-up, and leave it idle again.
   *
   * @returns Million frames per second that came back to where they were made.
   */
  sample(seconds: number): Promise<number>;
  /** End it and give back what it reserved, as disposing does. */
  close(): Promise<void>;
}

/**
 * DPDK's memif: two `dpdk-testpmd`, flowgen on one core and macswap on another, with a shared
 * memory between them. flowgen writes 42 bytes of headers into each frame, macswap reads and writes
 * 12; flowgen counts and frees what comes back and looks at none of it. Between samples both sleep.
 *
 * Memory comes from hugepages: zero-copy does not work without them. For copies `--no-huge` was no
 * better: even, or up to 20 % slower.
 *
 * @throws {Error} if DPDK is missing, without root, or without {@linkcode MEBIBYTES} of hugepages.
 */
export async function startMemif(options: MemifOptions): Promise<Peer> {
  await using resources = new AsyncDisposableStack();
  const mebibytes = MEBIBYTES;
  resources.use(await reserveHugepages(2 * mebibytes * 1024 * 1024 / HUGEPAGE_BYTES));
  const { generatorCore = 0, swapperCore = 1, zeroCopy } = options;
  const { burst = zeroCopy ? 128 : 64, ringSize = zeroCopy ? 1024 : 4096, clones = 0 } = options;
  const socket = `culvert-memif-${Deno.pid}-${started++}`;
  const vdev = `net_memif0,id=0,bsize=2048,rsize=${Math.log2(ringSize)},` +
    `socket=${socket},socket-abstract=yes`;
  const args = ["--total-num-mbufs=16384", "--mbcache=256", `--burst=${burst}`];
  const memory = { mebibytes, huge: true };
  const generator = resources.use(
    await Testpmd.open({
      mode: "flowgen",
      core: generatorCore,
      mainCore: swapperCore,
      vdevs: [`${vdev},role=server`],
      memory,
      args: [...args, `--txpkts=${options.frameBytes + FCS}`]
        .concat(clones ? `--flowgen-clones=${clones}` : []),
    }),
  );
  const swapper = resources.use(
    await Testpmd.open({
      mode: "macswap",
      core: swapperCore,
      mainCore: generatorCore,
      vdevs: [`${vdev},role=client,zero-copy=${zeroCopy ? "yes" : "no"}`],
      memory,
      args,
    }),
  );
  await Promise.all([generator.linkUp(0), swapper.linkUp(0)]);
  return new Memif(generator, swapper, resources.move());
}

class Memif implements Peer {
  readonly #generator: Testpmd;
  readonly #swapper: Testpmd;
  readonly #resources: AsyncDisposableStack;

  constructor(generator: Testpmd, swapper: Testpmd, resources: AsyncDisposableStack) {
    this.#generator = generator;
    this.#swapper = swapper;
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
    await this.#swapper.stop();
    return rxRate / 1e6;
  }

  async close(): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
