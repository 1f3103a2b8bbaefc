import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import type { SlotsCopy } from "./slots.ts";

/** Where one end of a ring keeps its positions, and how far it may go. */
export interface EndPlace {
  /** The ring's memory. */
  readonly memory: MappedMemory;
  /** First word of this end's line. */
  readonly line: number;
  /** First word of the opposite end's line. */
  readonly opposite: number;
  /** Elements that the ring may hold. */
  readonly capacity: number;
  /** What this end may claim when the positions of both are equal: the capacity, or nothing. */
  readonly whenEqual: number;
}

/**
 * One end of a ring: a step before and a step after the slots are copied, or worked on in place.
 * The producers' end and the consumers' end are alike. In labels of ordering edges 1 stands for the
 * producers' end, 2 for the consumers' end.
 *
 * Positions are int32 here: V8 keeps those in the object, larger numbers not.
 */
export interface RingEnd {
  /** Position of the first slot that {@linkcode claim} gave, until {@linkcode finish}. */
  readonly head: number;
  /**
   * The word of the tail, if the shim may publish in place of {@linkcode finish}: when the tail is
   * {@linkcode head}, it may add what was claimed. `NO_WORD` if it may not.
   */
  readonly tailWord: number;
  /**
   * Step one: claim up to `count` slots, `least` at least.
   *
   * @returns how many, from {@linkcode head} on; 0 if there are fewer than `least`.
   */
  claim(count: number, least: number): number;
  /** Step two: publish the `n` slots that were claimed to the other end. */
  finish(n: number): void;
  /**
   * Instead of {@linkcode finish}: publish only the first `n` slots and give back the others.
   *
   * @returns false if that is not possible, as other threads may have claimed slots behind them.
   */
  finishPart(n: number): boolean;
  /**
   * Both steps, and the copying in between: up to `count` elements of the burst in use, `least` at
   * least, from element `at` on.
   *
   * @returns how many.
   */
  move(slots: SlotsCopy, count: number, at: number, least: number): number;
  /** Set all positions of this end. Nobody may be using the ring. */
  reset(position: number): void;
}

/** {@linkcode RingEnd.move} by claim, copy and finish, one after the other. */
export function moveInSteps(
  end: RingEnd,
  slots: SlotsCopy,
  count: number,
  at: number,
  least: number,
): number {
  const n = end.claim(count, least);
  if (n > 0 && !slots.copy(end.head, n, at, end.tailWord)) end.finish(n);
  return n;
}

/** Pauses after which a waiting thread yields: the thread that it waits for may need the core. */
export const SPINS_BEFORE_YIELD = 50;

/** Wait a little for another thread of the same end, after `spins` looks. */
export function waitALittle(spins: number): void {
  if (spins < SPINS_BEFORE_YIELD) shim.shim_pause(1);
  else shim.shim_yield();
}

/**
 * Swap two neighbouring words, the first of them at an even index, if they are `low` and `high`;
 * full ordering.
 *
 * @returns 1 if they were swapped, 0 if they had other values, less than 0 if the memory was
 * closed: the caller must not try again.
 */
export function swapPair(
  map: number,
  word: number,
  low: number,
  high: number,
  toLow: number,
  toHigh: number,
): number {
  return shim.shim_compare_and_swap_pair(
    map,
    word,
    low >>> 0,
    high >>> 0,
    toLow >>> 0,
    toHigh >>> 0,
  );
}

/** Set the head and the tail of an end that nobody uses. */
export function storePositions(map: number, head: number, tail: number, position: number): void {
  shim.shim_store_release(map, head, position);
  shim.shim_store_release(map, tail, position);
}

/**
 * A private copy of the opposite tail, which an end loads again only when the copy does not suffice
 * (rigtorp `SPSCQueue`): that saves the cache miss.
 *
 * If several threads use an end, a thread may use its copy only while the head is where this thread
 * left it. Then no other thread has used the end, and an old copy only makes less available than
 * there is. If another thread has moved the head, this thread loads the tail again, after the head
 * (R1, R2 in tests/model): the head may have moved by about 2^32, so that an old copy would look
 * possible. If it has moved by exactly 2^32, or a multiple, nobody notices, as with every 32-bit
 * compare-and-swap.
 */
export class OppositeTail {
  readonly #map: number;
  readonly #word: number;
  readonly #capacity: number;
  readonly #whenEqual: number;
  /** The tail plus {@linkcode EndPlace.whenEqual}. */
  #ahead = 0;

  /** Load the tail for the first time. */
  constructor({ memory, opposite, capacity, whenEqual }: EndPlace) {
    this.#map = memory.map;
    this.#word = opposite + MPMC_END.TAIL;
    this.#capacity = capacity;
    this.#whenEqual = whenEqual;
    this.reload();
  }

  /**
   * Slots that may be claimed from `head` on. The tail is loaded again if fewer than `wanted` seem
   * to be available. Less than 0 if the answer would be more than the capacity: `head` is old, or
   * the ring is corrupted.
   */
  available(head: number, wanted: number): number {
    const known = (this.#ahead - head) >>> 0;
    return wanted <= known && known <= this.#capacity ? known : this.lookUp(head);
  }

  /** Load the tail again. */
  reload(): void {
    this.lookUp(0);
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /**
   * As {@linkcode available}, by the tail as it is now. L1, pairs with S1, or L2, pairs with S2:
   * the slots before the tail have been written, or read.
   */
  private lookUp(head: number): number {
    const ahead = this.#whenEqual + shim.shim_load_acquire(this.#map, this.#word);
    this.#ahead = ahead | 0;
    const available = (ahead - head) >>> 0;
    return available <= this.#capacity ? available : -1;
  }
}
