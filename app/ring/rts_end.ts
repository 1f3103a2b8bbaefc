import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import { type EndPlace, OppositeTail, type RingEnd, waitALittle } from "./ring_end.ts";
import { NO_WORD } from "./slots.ts";

/**
 * An end in relaxed-tail-sync mode (DPDK `rte_ring_rts_elem_pvt.h`): several threads use it at the
 * same time, and none waits for those before it to finish. Head and tail each count how often they
 * were moved; whoever finishes adds one to the tail's count, and who makes it equal to the head's
 * moves the tail to the head, for all. So a thread that is preempted holds back what the others
 * have finished, but not the others, until the head is `headTailMax` ahead of the tail.
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
  /** Where this user left the head. */
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
      const head = this.#load(MPMC_END.RTS_HEAD);
      // The tail after the head: if it has gone past, the difference is huge, and all is loaded
      // again.
      if ((head - this.#load(MPMC_END.TAIL)) >>> 0 > this.headTailMax) {
        waitALittle(spins++);
        continue;
      }
      if (head !== this.#next) {
        this.#opposite.reload(); // others were at work, for who knows how long: see OppositeTail
        this.#next = head;
      }
      const available = this.#opposite.available(head, count);
      const isOld = !this.#opposite.isPossible(available);
      if (isOld && this.#load(MPMC_END.RTS_HEAD) === head) return 0; // spoiled
      if (isOld) continue;
      const n = count < available ? count : available;
      if (n < least || n === 0) return 0;
      if (this.#move(MPMC_END.RTS_HEAD, head, begun, (head + n) | 0, (begun + 1) | 0)) {
        this.head = head;
        this.#next = (head + n) | 0;
        return n;
      }
    }
  }

  finish(): void {
    while (true) {
      const finished = this.#load(MPMC_END.TAIL_COUNT);
      const tail = this.#load(MPMC_END.TAIL);
      // Head and count belong together if the head was the same before and after: it never stands
      // still.
      const head = this.#load(MPMC_END.RTS_HEAD);
      const begun = this.#load(MPMC_END.HEAD_COUNT);
      if (this.#load(MPMC_END.RTS_HEAD) !== head) continue;
      const count = (finished + 1) | 0;
      // Releases what was done to the slots, here and by all who finished before, to who loads the
      // tail.
      if (this.#move(MPMC_END.TAIL_COUNT, finished, tail, count, count === begun ? head : tail)) {
        return;
      }
    }
  }

  finishPart(): boolean {
    return false;
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

  /** Swap two neighbouring words of this end, if they are still what they were; full ordering. */
  #move(word: number, low: number, high: number, toLow: number, toHigh: number): boolean {
    return shim.shim_compare_and_swap_pair(
      this.#map,
      this.#line + word,
      low >>> 0,
      high >>> 0,
      toLow >>> 0,
      toHigh >>> 0,
    ) === 1;
  }
}
