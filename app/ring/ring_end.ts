import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MPMC_END } from "../memory/layout.ts";
import type { Burst } from "./burst.ts";
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
 * One end of a ring: two steps around the copying, or the work on the slots in place. The
 * producers' end and the consumers' are alike; labels of ordering edges with a 1 are those of the
 * producers, with a 2 the consumers'.
 *
 * Positions are int32 here: V8 keeps those in the object, larger numbers not.
 */
export interface RingEnd {
  /** The first slot's position of what {@linkcode claim} gave, until that is finished. */
  readonly head: number;
  /**
   * Where {@linkcode head} plus what was claimed may be stored, with acquire and release, when it
   * is still `head`, instead of {@linkcode finish}; or `NO_WORD`.
   */
  readonly tailWord: number;
  /**
   * Step one: claim up to `count` slots, `least` at least.
   *
   * @returns how many, from {@linkcode head} on; 0 if they are not there.
   */
  claim(count: number, least: number): number;
  /** Step two: hand the `n` slots that were claimed to the other end. */
  finish(n: number): void;
  /**
   * Instead of {@linkcode finish}: hand over only the first `n` and give back the others.
   *
   * @returns false if that is not possible, as others may have claimed behind them.
   */
  finishPart(n: number): boolean;
  /**
   * Both steps, and the copying in between: up to `count` elements, `least` at least, from element
   * `at` of `burst` on.
   *
   * @returns how many.
   */
  move(slots: SlotsCopy, burst: Burst, count: number, at: number, least: number): number;
  /** Set all positions of this end. Nobody may be using the ring. */
  reset(position: number): void;
}

/** What {@linkcode RingEnd.move} is made of, one after the other. */
export function moveInSteps(
  end: RingEnd,
  slots: SlotsCopy,
  burst: Burst,
  count: number,
  at: number,
  least: number,
): number {
  const n = end.claim(count, least);
  if (n > 0 && !slots.copy(end.head, burst, n, at, end.tailWord)) end.finish(n);
  return n;
}

/** After so many pauses a waiting thread gives its core away: the one it waits for may want it. */
export const SPINS_BEFORE_YIELD = 50;

/** Wait for another thread of the same end a little: what to do at the `spins`-th look. */
export function waitALittle(spins: number): void {
  if (spins < SPINS_BEFORE_YIELD) shim.shim_pause(1);
  else shim.shim_yield();
}

/**
 * Swap two neighbouring words, the first of them even, if they are still what they were; with full
 * ordering.
 *
 * @returns 1 if they were, 0 if not, less if the memory was closed: who tries again would do so for
 * ever.
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
 * What the ends have in common: a copy of the opposite tail, which is loaded again only when it
 * does not suffice (rigtorp `SPSCQueue`). That spares the cache miss.
 *
 * With many users it serves only while the head stands where this user left it. Then nobody else
 * was at work here, and an old copy says that there is less than there is. Behind a head that
 * others have moved it is loaded again, after the head (R1, R2 in tests/model): they may have moved
 * it by some 2^32, and an old copy would look possible. Who finds the head where it was after
 * exactly 2^32 elements, or a multiple, is deceived all the same, as by any compare-and-swap of 32
 * bits.
 */
export class OppositeTail {
  readonly #map: number;
  readonly #word: number;
  readonly #capacity: number;
  readonly #whenEqual: number;
  /** The tail, and {@linkcode EndPlace.whenEqual}. */
  #ahead = 0;

  /** Load it for the first time. */
  constructor({ memory, opposite, capacity, whenEqual }: EndPlace) {
    this.#map = memory.map;
    this.#word = opposite + MPMC_END.TAIL;
    this.#capacity = capacity;
    this.#whenEqual = whenEqual;
    this.reload();
  }

  /**
   * Slots that may be claimed from `head` on, looked up again if there seem to be less than
   * `wanted`; never less than there are. Less than 0, if that is more than can be: `head` is not
   * the newest, or the ring is spoiled.
   */
  available(head: number, wanted: number): number {
    const known = (this.#ahead - head) >>> 0;
    return wanted <= known && known <= this.#capacity ? known : this.lookUp(head);
  }

  /** Load it again. */
  reload(): void {
    this.lookUp(0);
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /**
   * As {@linkcode available}, of the tail as it is now. L1, pairs with S1, or L2, pairs with S2:
   * the slots that it tells of have been written, or read.
   */
  private lookUp(head: number): number {
    const ahead = this.#whenEqual + shim.shim_load_acquire(this.#map, this.#word);
    this.#ahead = ahead | 0;
    const available = (ahead - head) >>> 0;
    return available <= this.#capacity ? available : -1;
  }
}
