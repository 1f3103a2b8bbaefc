import { MappedMemory } from "../ffi/mapped_memory.ts";
import { SpscRing } from "../app/ring/spsc_ring.ts";
import { type BenchOptions, compare, type Sample } from "./measurement.ts";
import { measureRteRing } from "./peers/rte_ring.ts";
import type { RingOrder } from "./ring_worker.ts";

const SIZE = 1024;
const BURSTS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/**
 * The ring alone: one producer, one consumer, each pinned to its core, every element numbered and
 * checked on both sides, nanoseconds per element one way. The peer is DPDK's SP/SC `rte_ring`.
 */
export async function benchRing({ pairs, scale, peers, report }: BenchOptions): Promise<void> {
  const memory = MappedMemory.ofProcess(SpscRing.bytes(SIZE));
  const ends = [new RingEnd(0, "producer"), new RingEnd(1, "consumer")] as const;
  try {
    const sampleOf = (burst: number, elements: number): Sample => async () => {
      const order = { memory: memory.handle, size: SIZE, burst, elements };
      const [, consumer] = await Promise.all(ends.map((end) => end.run(order)));
      return consumer / elements;
    };
    await sampleOf(32, Math.ceil(1e6 * scale) * 32)(); // V8 optimizes what it has seen enough of
    for (const burst of BURSTS) {
      const elements = Math.ceil(Math.min(2e6, 4e5 * Math.sqrt(burst)) * scale) * 8 * burst;
      const bounded = Math.min(elements, Math.ceil(4e7 * scale / burst) * burst);
      const ours = sampleOf(burst, bounded);
      await ours();
      const sample = async () =>
        (await measureRteRing({ mode: "spsc", burst, elements: bounded })).nsPerElement;
      const peer = peers ? { name: "DPDK rte_ring SP/SC", sample } : undefined;
      report(await compare(`ring one way, burst ${burst}`, "ns", "less", pairs, ours, peer));
    }
  } finally {
    for (const end of ends) end.close();
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
