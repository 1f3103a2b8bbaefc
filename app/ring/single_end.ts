import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import {
  type EndPlace,
  moveInSteps,
  OppositeTail,
  type RingEnd,
  storePositions,
} from "./ring_end.ts";
import type { SlotsCopy } from "./slots.ts";

/** An end that one thread uses (DPDK `RTE_RING_SYNC_ST`). */
export class SingleEnd implements RingEnd {
  head = 0;
  readonly tailWord: number;

  readonly #u32: Uint32Array;
  readonly #map: number;
  readonly #headWord: number;
  readonly #opposite: OppositeTail;

  /** Begin with the positions that are in memory. */
  constructor(place: EndPlace) {
    this.#u32 = place.memory.u32;
    this.#map = place.memory.map;
    this.#headWord = place.line + MPMC_END.HEAD;
    this.tailWord = place.line + MPMC_END.TAIL;
    this.#opposite = new OppositeTail(place);
  }

  claim(count: number, least: number): number {
    const head = this.#u32[this.#headWord] | 0; // a plain load: only this thread writes it
    const available = this.#opposite.available(head, count);
    if (available < 0) return 0; // the ring is corrupted
    const n = available < count ? available : count;
    if (!(n >= least && n > 0)) return 0;
    this.head = head;
    this.#u32[this.#headWord] = head + n;
    return n;
  }

  finish(n: number): void {
    // S1, pairs with L1, or S2, pairs with L2: a thread that sees the tail also sees that
    // the slots were written, or read.
    shim.shim_store_release(this.#map, this.tailWord, (this.head + n) >>> 0);
  }

  finishPart(n: number): boolean {
    this.#u32[this.#headWord] = this.head + n;
    if (n > 0) this.finish(n);
    return true;
  }

  move(slots: SlotsCopy, count: number, at: number, least: number): number {
    return moveInSteps(this, slots, count, at, least);
  }

  reset(position: number): void {
    storePositions(this.#map, this.#headWord, this.tailWord, position);
    this.#opposite.reload();
  }
}
