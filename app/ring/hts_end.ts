import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import {
  type EndPlace,
  moveInSteps,
  OppositeTail,
  type RingEnd,
  storePositions,
  swapPair,
  waitALittle,
} from "./ring_end.ts";
import type { SlotsCopy } from "./slots.ts";

/**
 * An end in head-tail-sync mode (DPDK `rte_ring_hts_elem_pvt.h`): several threads use it, one at a
 * time. Head and tail are one 64-bit word. A thread claims by compare-and-swap of both, and only
 * while they are equal. So no thread waits for another one to finish, a thread that is preempted
 * blocks only threads that come meanwhile, and part of a claim can be given back.
 *
 * The next thread that claims has loaded a tail that was stored with release ordering; the
 * compare-and-swap itself need not order anything.
 */
export class HtsEnd implements RingEnd {
  head = 0;
  readonly tailWord: number;

  readonly #map: number;
  readonly #headWord: number;
  readonly #opposite: OppositeTail;
  /** Where head and tail were last: a guess, which the swap checks. */
  #next = 0;
  /** Slots claimed. */
  #claimed = 0;

  /** Begin with the positions that are in memory. */
  constructor(place: EndPlace) {
    this.#map = place.memory.map;
    this.#headWord = place.line + MPMC_END.HEAD;
    this.tailWord = place.line + MPMC_END.TAIL;
    this.#opposite = new OppositeTail(place);
    this.#next = this.#loadTail();
  }

  claim(count: number, least: number): number {
    let at = this.#next;
    while (true) {
      const available = this.#opposite.available(at, count);
      if (available < 0) {
        const now = this.#loadTail();
        if (now === at) return 0; // the ring is corrupted
        at = now;
        this.#opposite.reload(); // R1, R2: other threads may have moved the head since
        continue;
      }
      const n = available < count ? available : count;
      if (!(n >= least && n > 0)) return 0;
      const moved = swapPair(this.#map, this.#headWord, at, at, (at + n) | 0, at);
      if (moved === 1) {
        this.head = at;
        this.#claimed = n;
        this.#next = (at + n) | 0;
        return n;
      }
      if (moved < 0) return 0; // the memory was closed
      at = this.#waitUntilEqual();
      this.#opposite.reload(); // R1, R2: other threads have moved the head
    }
  }

  finish(n: number): void {
    // S1, pairs with L1, or S2, pairs with L2: a thread that sees the tail also sees that
    // the slots were written, or read.
    shim.shim_store_release(this.#map, this.tailWord, (this.head + n) >>> 0);
  }

  finishPart(n: number): boolean {
    const next = (this.head + n) | 0;
    const head = (this.head + this.#claimed) | 0;
    // No other thread swaps head and tail while they differ.
    swapPair(this.#map, this.#headWord, head, this.head, next, next);
    this.#next = next;
    return true;
  }

  move(slots: SlotsCopy, count: number, at: number, least: number): number {
    return moveInSteps(this, slots, count, at, least);
  }

  reset(position: number): void {
    storePositions(this.#map, this.#headWord, this.tailWord, position);
    this.#next = position | 0;
    this.#opposite.reload();
  }

  #waitUntilEqual(): number {
    for (let spins = 0;; spins++) {
      const tail = this.#loadTail();
      if ((shim.shim_load_acquire(this.#map, this.#headWord) | 0) === tail) return tail;
      waitALittle(spins);
    }
  }

  /**
   * T1, pairs with S1, or T2, pairs with S2: what the threads before this one have done is
   * published with what this one does.
   */
  #loadTail(): number {
    return shim.shim_load_acquire(this.#map, this.tailWord) | 0;
  }
}
