import { shim } from "../../ffi/shim.ts";
import type { MbufMetadata } from "./mbuf_metadata.ts";

/** A count above this has wrapped around below 0: the mbuf was freed too often. */
export const REFCOUNT_MAX: number = 2 ** 24;

/** References to mbuf `index` beside the caller's own. Others may change it at any time. */
export function othersOf(metadata: MbufMetadata, index: number): number {
  return shim.shim_load_acquire(metadata.map, metadata.refcountWord(index));
}

/** Add `more` references to mbuf `index`. */
export function shareMbuf(metadata: MbufMetadata, index: number, more: number): void {
  shim.shim_fetch_add(metadata.map, metadata.refcountWord(index), more);
}

/** Drop a reference to mbuf `index`; whether it was the last one. */
export function letGo(metadata: MbufMetadata, index: number): boolean {
  // If this is the only reference, nobody else can add one, so no atomic operation is needed (as in
  // DPDK's rte_pktmbuf_prefree_seg). Otherwise it has full ordering: what all owners read, they
  // read before the last one frees the mbuf.
  if (othersOf(metadata, index) === 0) return true;
  const word = metadata.refcountWord(index);
  if (shim.shim_fetch_add(metadata.map, word, 0xffffffff) !== 0) return false;
  shim.shim_store_release(metadata.map, word, 0);
  return true;
}
