/**
 * The ring of a mempool's free mbufs, as memory: how it is filled at first, and what is in it.
 *
 * @module
 */
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cellsOfLong, MPMC } from "../memory/layout.ts";
import { MpmcRing } from "../ring/mpmc_ring.ts";
import type { MbufGeometry } from "./mbuf.ts";
import type { MempoolHandle } from "./mempool_handle.ts";

/** Slots of the free ring of `total` mbufs. */
export function freeRingSize(total: number): number {
  return 2 ** Math.max(1, Math.ceil(Math.log2(total)));
}

/**
 * Make a free ring of the mbufs 0 to `total - 1`, all free, in zeroed memory from byte `offset` on;
 * or of as many whose indexes begin at `first` and are `step` apart.
 */
export function fillFreeRing(
  memory: MappedMemory,
  offset: number,
  total: number,
  first = 0,
  step = 1,
): MempoolHandle {
  const ringSize = freeRingSize(total);
  const ring = new MpmcRing(memory, offset, ringSize);
  ring.reserveBulk(total);
  for (let i = 0; i < total; i++) ring.words[i] = first + i * step;
  ring.commit(total);
  return { memory: memory.handle, offset, ringSize, total };
}

/** As {@linkcode fillFreeRing}, in memory of this process. */
export function newFreeRing(total: number, first = 0, step = 1): MempoolHandle {
  const memory = MappedMemory.ofProcess(MpmcRing.bytes(freeRingSize(total)));
  return fillFreeRing(memory, 0, total, first, step);
}

/** Make the free ring of long mbufs, all free, that lie behind the others of a region. */
export function newLongFreeRing(geometry: MbufGeometry): MempoolHandle | undefined {
  const { stride, count, long = 0 } = geometry;
  return long === 0 ? undefined : newFreeRing(long, count, cellsOfLong(stride));
}

/** Visit each mbuf in a free ring that nobody uses meanwhile. */
export function visitFreeRing(
  { memory, offset, ringSize }: MempoolHandle,
  visit: (index: number) => void,
): void {
  const { u32 } = new MappedMemory(memory);
  const start = offset >>> 2;
  const first = u32[start + MPMC.CONSUMER_TAIL];
  const n = Math.min((u32[start + MPMC.PRODUCER_TAIL] - first) >>> 0, ringSize);
  for (let i = 0; i < n; i++) visit(u32[start + MPMC.SLOTS + ((first + i) & (ringSize - 1))]);
}
