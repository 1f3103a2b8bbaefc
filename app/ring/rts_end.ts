import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import {
  type EndPlace,
  moveInSteps,
  OppositeTail,
  type RingEnd,
  swapPair,
  waitALittle,
} from "./ring_end.ts";
import { NO_WORD, type SlotsCopy } from "./slots.ts";

/**
 * An end in relaxed-tail-sync mode (DPDK `rte_ring_rts_elem_pvt.h`): several threads use it at the
 * same time, and none waits for the threads before it to finish. Head and tail have a count each. A
 * thread that claims adds one to the head's count, a thread that finishes adds one to the tail's.
 * The thread that makes them equal moves the tail to the head, for all. So a thread that is
 * preempted delays the publishing of what others have finished, but others go on until the head is
 * `headTailMax` ahead of the tail.
 *
 * A position and its count are one 64-bit word, moved by compare-and-swap of both; so two loads
 * that do not belong together only make the swap fail.
 */
export class RtsEnd implements RingEnd {
  head = 0;
  readonly tailWord: number = NO_WORD;

  readonly #map: number;
  readonly #line: number;
  readonly #opposite: OppositeTail;
  /** Where this thread left the head. */
  #next = 0;

  /** `headTailMax`: how far the head may be ahead of the tail. */
  constructor(place: EndPlace, readonly headTailMax: number) {
    this.#map = place.memory.map;
    this.#line = place.line;
    this.#opposite = new OppositeTail(place);
  }

  claim(count: number, least: number): number {
    for (let spins = 0;;) {
      const begun = this.#load(MPMC_END.HEAD_COUNT);
      // H1, pairs with C1, or H2, pairs with C2: an acquire load of the head, before the opposite
      // tail is loaded.
      const head = this.#load(MPMC_END.RTS_HEAD);
      // The tail is loaded after the head: if the tail has moved past that head, the difference is
      // huge, and both are loaded again.
      if ((head - this.#load(MPMC_END.TAIL)) >>> 0 > this.headTailMax) {
        waitALittle(spins++);
        continue;
      }
      if (head !== this.#next) {
        this.#opposite.reload(); // other threads have moved the head: see OppositeTail
        this.#next = head;
      }
      const available = this.#opposite.available(head, count);
      const isOld = available < 0;
      if (isOld && this.#load(MPMC_END.RTS_HEAD) === head) return 0; // the ring is corrupted
      if (isOld) continue;
      const n = available < count ? available : count;
      if (!(n >= least && n > 0)) return 0;
      // C1, pairs with H1 and N1, or C2, pairs with H2 and N2: a thread that sees the new head sees
      // the opposite tail that it was computed from, and its count.
      const moved = this.#move(MPMC_END.RTS_HEAD, head, begun, (head + n) | 0, (begun + 1) | 0);
      if (moved === 1) {
        this.head = head;
        this.#next = (head + n) | 0;
        return n;
      }
      if (moved < 0) return 0; // the memory was closed
    }
  }

  finish(): void {
    while (true) {
      // T1, pairs with S1, or T2, pairs with S2: a thread that sees that others have finished sees
      // that they had begun.
      const finished = this.#load(MPMC_END.TAIL_COUNT);
      const tail = this.#load(MPMC_END.TAIL);
      // N1, pairs with C1, or N2, pairs with C2: the count, loaded after the head, is not older. If
      // all that have begun have finished it is not newer either: by T we see the head they saw.
      const head = this.#load(MPMC_END.RTS_HEAD);
      const begun = this.#load(MPMC_END.HEAD_COUNT);
      const count = (finished + 1) | 0;
      // S1, pairs with L1 and T1, or S2, pairs with L2 and T2: releases what was done to the slots,
      // here and by all threads that finished before.
      const to = count === begun ? head : tail;
      if (this.#move(MPMC_END.TAIL_COUNT, finished, tail, count, to) !== 0) return;
    }
  }

  finishPart(): boolean {
    return false;
  }

  move(slots: SlotsCopy, count: number, at: number, least: number): number {
    return moveInSteps(this, slots, count, at, least);
  }

  reset(position: number): void {
    for (const count of [MPMC_END.TAIL_COUNT, MPMC_END.HEAD_COUNT]) this.#store(count, 0);
    for (const word of [MPMC_END.TAIL, MPMC_END.RTS_HEAD]) this.#store(word, position);
    this.#opposite.reload();
  }

  #load(word: number): number {
    return shim.shim_load_acquire(this.#map, this.#line + word) | 0;
  }

  #store(word: number, value: number): void {
    shim.shim_store_release(this.#map, this.#line + word, value);
  }

  #move(word: number, low: number, high: number, toLow: number, toHigh: number): number {
    return swapPair(this.#map, this.#line + word, low, high, toLow, toHigh);
  }
}
