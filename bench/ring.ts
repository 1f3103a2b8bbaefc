import { MappedMemory } from "../ffi/mapped_memory.ts";
import { SpscRing } from "../app/ring/spsc_ring.ts";
import { type BenchOptions, compare, type Sample } from "./measurement.ts";
import { RteRing } from "./peers/rte_ring.ts";
import type { RingOrder } from "./ring_worker.ts";

const SIZE = 1024;
const BURSTS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** Seconds that one sample takes, at some {@linkcode expectedNs} an element. */
const SAMPLE_SECONDS = 0.3;

/** A guess, to make samples of all bursts take about as long. */
function expectedNs(burst: number): number {
  return 1.5 + 20 / burst;
}

/**
 * The ring alone: one producer, one consumer, each pinned to its core, nanoseconds per element one
 * way; in bulks, whose first and last elements are checked. The peer is DPDK's SP/SC `rte_ring`,
 * which does the same.
 */
export async function benchRing({ pairs, scale, peers, report }: BenchOptions): Promise<void> {
  const memory = MappedMemory.ofProcess(SpscRing.bytes(SIZE));
  const ends = [new RingEnd(0, "producer"), new RingEnd(1, "consumer")] as const;
  const rteRing = peers ? await RteRing.start() : undefined;
  try {
    for (const burst of BURSTS) {
      const bulks = Math.ceil(SAMPLE_SECONDS * scale * 1e9 / expectedNs(burst) / burst);
      const elements = bulks * burst;
      const ours: Sample = async () => {
        const order = { memory: memory.handle, size: SIZE, burst, elements };
        const [, consumer] = await Promise.all(ends.map((end) => end.run(order)));
        return consumer / elements;
      };
      const sample = rteRing && (async () => {
        return (await rteRing.measure({ mode: "spsc", burst, elements })).nsPerElement;
      });
      await ours(); // V8 optimizes what it has seen enough of
      await sample?.();
      const peer = sample && { name: "DPDK rte_ring SP/SC", sample };
      report(await compare(`ring one way, burst ${burst}`, "ns", "less", pairs, ours, peer));
    }
  } finally {
    for (const end of ends) end.close();
    await rteRing?.[Symbol.asyncDispose]();
  }
}

/** One Worker of the benchmark. */
class RingEnd {
  readonly #worker = new Worker(new URL("./ring_worker.ts", import.meta.url), { type: "module" });

  constructor(readonly core: number, readonly role: RingOrder["role"]) {}

  run(order: Pick<RingOrder, "memory" | "size" | "burst" | "elements">): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.postMessage({ ...order, core: this.core, role: this.role } satisfies RingOrder);
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}
