import { shim } from "../../ffi/shim.ts";
import type { MbufNotes } from "./mbuf_notes.ts";

/** More holders than this are a count that fell below none. */
export const HOLDERS_MAX: number = 2 ** 24;

/** How many hold mbuf `index`, besides one: a moment's answer. */
export function othersOf(notes: MbufNotes, index: number): number {
  return shim.shim_load_acquire(notes.map, notes.holdersWord(index));
}

/** Let `more` others hold mbuf `index`. */
export function addHolders(notes: MbufNotes, index: number, more: number): void {
  shim.shim_fetch_add(notes.map, notes.holdersWord(index), more);
}

/** Hold mbuf `index` no more; whether nobody does now. */
export function letGo(notes: MbufNotes, index: number): boolean {
  // Alone, no other can come: DPDK saves the atomic too (rte_pktmbuf_prefree_seg). Else full ordering: what
  // each holder read, it read before the last one gives the mbuf away.
  if (othersOf(notes, index) === 0) return true;
  const word = notes.holdersWord(index);
  if (shim.shim_fetch_add(notes.map, word, 0xffffffff) !== 0) return false;
  shim.shim_store_release(notes.map, word, 0);
  return true;
}
