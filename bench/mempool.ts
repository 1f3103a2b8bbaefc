import { AskedWorker } from "./asked_worker.ts";
import type { BenchOptions, Sample } from "./measurement.ts";
import type { MempoolBenchOrder } from "./mempool_worker.ts";
import { RTE_MEMPOOL, RteMempool } from "./peers/rte_mempool.ts";

/**
 * Bursts that fit the cache; and 32 at a time until 2048 are held, most of them from the free ring.
 */
const RUNS = [
  ...[1, 8, 32, 128, 256].map((burst) => ({ burst, held: burst })),
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
 * The mempool alone: allocate and free through one lcore's cache, nanoseconds an mbuf for both. The
 * peer is DPDK's `rte_mempool`, get and put, with as many objects and as large a cache. Ours gives
 * descriptors, two words each, ready to be filled; DPDK gives pointers.
 */
export async function benchMempool({ scale, peers, measure }: BenchOptions): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const lcore = resources.use(
    new AskedWorker<MempoolBenchOrder, number>(new URL("./mempool_worker.ts", import.meta.url)),
  );
  const rteMempool = peers ? resources.use(await RteMempool.start(CORE)) : undefined;
  for (const { burst, held } of RUNS) {
    const turns = Math.ceil(SAMPLE_SECONDS * scale * 1e9 / expectedNs(burst) / held);
    const mbufs = turns * held;
    const order = { ...RTE_MEMPOOL, core: CORE, burst, held, mbufs };
    const sample: Sample | undefined = rteMempool && (async () => {
      return (await rteMempool.measure({ burst, held, objects: mbufs })).nsPerObject;
    });
    await measure({
      name: `mempool descriptors, burst ${burst}${held > burst ? `, ${held} held` : ""}`,
      unit: "ns",
      better: "less",
      settings: RTE_MEMPOOL,
      ours: async () => await lcore.ask(order) / mbufs,
      peers: sample ? [{ name: "DPDK rte_mempool", sample }] : [],
    });
  }
}
