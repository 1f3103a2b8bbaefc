import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { Burst } from "../../app/ring/burst.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import type { MpmcShape } from "../../app/ring/sharing.ts";
import { serveOrder } from "../ffi/run_workers.ts";

/** One bulk by another thread, while the test holds slots that it claimed before. */
export interface LateOrder {
  readonly memory: MappedMemoryHandle;
  readonly size: number;
  readonly shape: MpmcShape;
  readonly call: "enqueueBulk" | "dequeueBulk";
  readonly count: number;
  /** Word 0: set to 1 just before the call. */
  readonly shared: Int32Array<SharedArrayBuffer>;
}

serveOrder(({ memory, size, shape, call, count, shared }: LateOrder): number => {
  const ring = new MpmcRing(new MappedMemory(memory), 0, size, shape);
  const elements = Burst.of(count, 4);
  for (let i = 0; i < count; i++) elements.words[i] = 100 + i;
  Atomics.store(shared, 0, 1);
  Atomics.notify(shared, 0);
  return ring[call](elements, count);
});
