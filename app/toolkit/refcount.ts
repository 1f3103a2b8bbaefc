import { shim } from "../../ffi/shim.ts";
import type { MbufMetadata } from "./mbuf_metadata.ts";

/** More holders than this are a count that fell below none. */
export const REFCOUNT_MAX: number = 2 ** 24;

/** How many hold mbuf `index`, besides one: a moment's answer. */
export function othersOf(metadata: MbufMetadata, index: number): number {
  return shim.shim_load_acquire(metadata.map, metadata.refcountWord(index));
}

/** Let `more` others hold mbuf `index`. */
export function addReferences(metadata: MbufMetadata, index: number, more: number): void {
  shim.shim_fetch_add(metadata.map, metadata.refcountWord(index), more);
}

/** Hold mbuf `index` no more; whether nobody does now. */
export function letGo(metadata: MbufMetadata, index: number): boolean {
  // Alone, no other can come: DPDK saves the atomic too (rte_pktmbuf_prefree_seg). Else full
  // ordering: what each holder read, it read before the last one gives the mbuf away.
  if (othersOf(metadata, index) === 0) return true;
  const word = metadata.refcountWord(index);
  if (shim.shim_fetch_add(metadata.map, word, 0xffffffff) !== 0) return false;
  shim.shim_store_release(metadata.map, word, 0);
  return true;
}
