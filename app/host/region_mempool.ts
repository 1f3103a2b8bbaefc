import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { CheckedMempool, type CheckedMempoolHandle } from "../mempool/checked_mempool.ts";
import { newLongFreeRing } from "../mempool/free_ring.ts";
import type { MbufGeometry } from "../mempool/mbuf.ts";
import { Mempool } from "../mempool/mempool.ts";
import type { MempoolHandle } from "../mempool/mempool_handle.ts";

/**
 * The mempool of a region's mbufs, all free, as the main thread has it.
 *
 * @param onProblem If it is one for debugging: told what that finds.
 */
export function createMempool(
  geometry: MbufGeometry,
  onProblem?: (problem: { readonly message: string }) => void,
): Mempool {
  const long = newLongFreeRing(geometry);
  return onProblem
    ? CheckedMempool.createUntagged(geometry.count, "host", onProblem, long)
    : Mempool.create(geometry.count, 0, long);
}

/** Give its memory back. No thread may be using it. */
export function disposeMempool(mempool: Mempool): void {
  const handle: MempoolHandle & Partial<CheckedMempoolHandle> = mempool.handle;
  for (const part of [handle, handle.long, handle.watch]) {
    if (part) new MappedMemory(part.memory).close();
  }
}
