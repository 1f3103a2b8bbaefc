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

/**
 * An end that several threads use, in DPDK's two steps (`rte_ring_generic_pvt.h`,
 * `RTE_RING_SYNC_MT`): each claims slots by moving the head with compare-and-swap, fills or empties
 * them, waits until those who claimed before it are done, and moves the tail. A thread that dies
 * between the two steps blocks its end for ever.
 */
export class MultiEnd implements RingEnd {
  head = 0;
  readonly tailWord: number;

  readonly #map: number;
  readonly #headWord: number;
  readonly #opposite: OppositeTail;
  /** Where the head was last: a guess that the swap confirms, or not. */
  #next = 0;

  /** Use the positions that are there. */
  constructor(place: EndPlace) {
    this.#map = place.memory.map;
    this.#headWord = place.line + MPMC_END.HEAD;
    this.tailWord = place.line + MPMC_END.TAIL;
    this.#opposite = new OppositeTail(place);
    this.#next = this.#loadHead();
  }

  claim(count: number, least: number): number {
    let head = this.#next;
    while (true) {
      const available = this.#opposite.available(head, count);
      if (!this.#opposite.isPossible(available)) {
        const now = this.#loadHead();
        if (now === head) return 0; // spoiled
        head = now;
        this.#opposite.reload(); // R1, R2: others may have been at work since it was
        continue;
      }
      // From an old head there seems to be more than there is: if that is too little, so is the
      // rest.
      const n = count < available ? count : available;
      if (n < least || n === 0) return 0;
      const next = (head + n) | 0;
      // C1, pairs with H1, or C2, pairs with H2: who sees the new head sees the opposite tail it
      // was computed from. If the swap fails it is itself the acquire load of the head.
      const found = shim.shim_compare_exchange(this.#map, this.#headWord, head >>> 0, next >>> 0) |
        0;
      if (found === head) {
        this.head = head;
        this.#next = next;
        return n;
      }
      head = found;
      this.#opposite.reload(); // R1, R2: others were at work, for who knows how long
    }
  }

  finish(n: number): void {
    const { head } = this;
    const next = (head + n) >>> 0;
    // T1, pairs with S1, or T2, pairs with S2: what those before have done is handed on with what
    // was done here. S1, pairs with L1, or S2, pairs with L2: who sees the tail sees that the slots
    // were written, or read.
    while (
      shim.shim_store_in_turn(this.#map, this.tailWord, head >>> 0, next, SPINS_BEFORE_YIELD) === 0
    ) waitALittle(SPINS_BEFORE_YIELD);
  }

  finishPart(): boolean {
    return false;
  }

  reset(position: number): void {
    storePositions(this.#map, this.#headWord, this.tailWord, position);
    this.#next = position | 0;
    this.#opposite.reload();
  }

  /**
   * H1, pairs with C1, or H2, pairs with C2: an acquire load of the head, before the opposite tail
   * is loaded.
   */
  #loadHead(): number {
    return shim.shim_load_acquire(this.#map, this.#headWord) | 0;
  }
}
