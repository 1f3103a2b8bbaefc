import { type BenchOptions, compare, type Sample } from "./measurement.ts";
import type { MempoolBenchOrder } from "./mempool_worker.ts";
import { RTE_MEMPOOL, RteMempool } from "./peers/rte_mempool.ts";

/**
 * Bursts that fit the cache, and 32 at a time until 2048 are held, most of which come from the free
 * ring.
 */
const RUNS = [
  ...[1, 2, 4, 8, 16, 32, 64, 128, 256].map((burst) => ({ burst, held: burst })),
  { burst: 32, held: 2048 },
];

/** Seconds that one sample takes, at some {@linkcode expectedNs} an mbuf. */
const SAMPLE_SECONDS = 0.2;

/** A guess, to make samples of all bursts take about as long. */
function expectedNs(burst: number): number {
  return 1 + 6 / burst;
}

/** One core, alternating with the peer's process there: the same cache, the same clock. */
const CORE = 0;

/**
 * The mempool alone: allocate and free through one lcore's cache, nanoseconds per mbuf for both.
 * The peer is DPDK's `rte_mempool`, get and put, with as many objects and as large a cache. Ours
 * hands out descriptors, ready to be filled, two words each; DPDK pointers.
 */
export async function benchMempool({ pairs, scale, peers, report }: BenchOptions): Promise<void> {
  const lcore = new MempoolLcore();
  const rteMempool = peers ? await RteMempool.start(CORE) : undefined;
  try {
    for (const { burst, held } of RUNS) {
      const turns = Math.ceil(SAMPLE_SECONDS * scale * 1e9 / expectedNs(burst) / held);
      const mbufs = turns * held;
      const ours: Sample = async () => await lcore.run({ burst, held, mbufs }) / mbufs;
      const sample = rteMempool && (async () => {
        return (await rteMempool.measure({ burst, held, objects: mbufs })).nsPerObject;
      });
      await ours(); // V8 optimizes what it has seen enough of
      await sample?.();
      const peer = sample && { name: "DPDK rte_mempool", sample };
      const name = `mempool, burst ${burst}${held > burst ? `, ${held} held` : ""}`;
      report(await compare(name, "ns", "less", pairs, ours, peer));
    }
  } finally {
    lcore.close();
    await rteMempool?.[Symbol.asyncDispose]();
  }
}

/** The Worker of the benchmark. */
class MempoolLcore {
  readonly #worker = new Worker(new URL("./mempool_worker.ts", import.meta.url), {
    type: "module",
  });

  run(order: Pick<MempoolBenchOrder, "burst" | "held" | "mbufs">): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.postMessage(
        { ...order, ...RTE_MEMPOOL, core: CORE } satisfies MempoolBenchOrder,
      );
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}
