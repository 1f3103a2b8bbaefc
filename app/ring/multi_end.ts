import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import {
  type EndPlace,
  OppositeTail,
  type RingEnd,
  SPINS_BEFORE_YIELD,
  storePositions,
  waitALittle,
} from "./ring_end.ts";
import type { SlotsCopy } from "./slots.ts";

/**
 * An end that several threads use, in DPDK's two steps (`rte_ring_generic_pvt.h`,
 * `RTE_RING_SYNC_MT`). Each thread claims slots by moving the head with compare-and-swap, fills or
 * empties them, waits until the threads that claimed before it have finished, and moves the tail. A
 * thread that dies between the two steps blocks the end for ever.
 */
export class MultiEnd implements RingEnd {
  /** While nothing is claimed, where the head was last: a guess, which the swap checks. */
  head: number;
  readonly tailWord: number;

  readonly #map: number;
  readonly #headWord: number;
  readonly #opposite: OppositeTail;

  /** Begin with the positions that are in memory. */
  constructor(place: EndPlace) {
    this.#map = place.memory.map;
    this.#headWord = place.line + MPMC_END.HEAD;
    this.tailWord = place.line + MPMC_END.TAIL;
    this.#opposite = new OppositeTail(place);
    this.head = this.#loadHead();
  }

  claim(count: number, least: number): number {
    while (true) {
      const n = this.aim(count, least);
      if (n === 0) return 0;
      const { head } = this;
      // C1, pairs with H1, or C2, pairs with H2: a thread that sees the new head sees the opposite
      // tail that it was computed from. A swap that fails is an acquire load of the head.
      const now = n < 0 ? this.#loadHead() : this.swapHead(head, n);
      if (now !== head) {
        this.head = now;
        this.#opposite.reload(); // R1, R2: other threads have moved the head
        continue;
      }
      return n < 0 ? 0 : n; // 0: the ring is corrupted
    }
  }

  /** If possible all in one call: the shim claims (C1, C2), copies, and publishes (S1, S2). */
  move(slots: SlotsCopy, count: number, at: number, least: number): number {
    let n = this.aim(count, least);
    if (n === 0) return 0;
    let moved = n < 0 ? -1 : slots.claimAndCopy(this.head, n, at, this.tailWord);
    if (moved < 0) {
      n = this.claim(count, least);
      if (n === 0) return 0;
      moved = slots.copy(this.head, n, at, this.tailWord) ? 1 : 0;
    }
    if (moved === 0) this.finish(n);
    else this.head = (this.head + n) | 0;
    return n;
  }

  finish(n: number): void {
    const { head } = this;
    const next = (head + n) >>> 0;
    // T1, pairs with S1, or T2, pairs with S2: what the threads before this one have done is
    // published with what this one did. S1, pairs with L1, or S2, pairs with L2: a thread that sees
    // the tail also sees that the slots were written, or read.
    while (
      shim.shim_store_in_turn(this.#map, this.tailWord, head >>> 0, next, SPINS_BEFORE_YIELD) === 0
    ) waitALittle(SPINS_BEFORE_YIELD);
    this.head = next | 0;
  }

  finishPart(): boolean {
    return false;
  }

  reset(position: number): void {
    storePositions(this.#map, this.#headWord, this.tailWord, position);
    this.head = position | 0;
    this.#opposite.reload();
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /**
   * Slots that may be claimed from the head on, as far as this thread knows: 0 if there are too
   * few. Less than 0 if there seem to be more than possible, so that the head must be loaded again,
   * or if `count` is less than 0.
   */
  private aim(count: number, least: number): number {
    const available = this.#opposite.available(this.head, count);
    const n = available < count ? available : count;
    // By an old head more slots seem available than are: if these are too few, so are the real
    // ones.
    return n >= least ? n : available < 0 ? -1 : 0;
  }

  /** Returns the head as it was: if that is `head`, the swap has moved it by `n`. */
  private swapHead(head: number, n: number): number {
    const next = (head + n) >>> 0;
    return shim.shim_compare_exchange(this.#map, this.#headWord, head >>> 0, next) | 0;
  }

  /**
   * H1, pairs with C1, or H2, pairs with C2: an acquire load of the head, before the opposite tail
   * is loaded.
   */
  #loadHead(): number {
    return shim.shim_load_acquire(this.#map, this.#headWord) | 0;
  }
}
