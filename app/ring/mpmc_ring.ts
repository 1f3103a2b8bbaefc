import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MPMC } from "../memory/layout.ts";
import { checkRingSize } from "./ring_size.ts";

/** Whether one thread or several use an end of a ring. */
export type Sharing = "single" | "multi";

/** After so many pauses a waiting thread gives its core away: the one it waits for may want it. */
const SPINS_BEFORE_YIELD = 1000;

/**
 * A ring of 4-byte elements (mbuf indexes) for any number of producers and consumers in one trust
 * domain.
 *
 * DPDK's two-step head/tail (`rte_ring_generic_pvt.h`): a thread claims slots by moving the head with
 * compare-and-swap, fills or empties them, waits until those who claimed before it are done, and
 * moves the tail. A thread that dies between the two steps blocks its end for ever; that is why
 * this ring never crosses to a guest that is not trusted.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { MpmcRing } from "./mpmc_ring.ts";
 *
 * const ring = new MpmcRing(MappedMemory.ofProcess(MpmcRing.bytes(4)), 0, 4);
 * console.assert(ring.enqueueBulk(new Uint32Array([1, 2, 3]), 3) === 3);
 * console.assert(ring.dequeueBurst(new Uint32Array(4), 4) === 3);
 * ```
 */
export class MpmcRing {
  readonly #u32: Uint32Array;
  readonly #map: number;
  readonly #mask: number;
  readonly #start: number;
  readonly #slots: number;
  readonly #producers: Sharing;
  readonly #consumers: Sharing;

  /**
   * Use the ring whose memzone starts at `offset` (bytes).
   *
   * @param size Slots, a power of two; all of them can be used.
   * @throws {CulvertError} if the size is no power of two.
   */
  constructor(
    memory: MappedMemory,
    offset: number,
    readonly size: number,
    { producers = "multi", consumers = "multi" }: { producers?: Sharing; consumers?: Sharing } = {},
  ) {
    checkRingSize(size);
    this.#u32 = memory.u32;
    this.#map = memory.map;
    this.#mask = size - 1;
    this.#start = offset >>> 2;
    this.#slots = this.#start + MPMC.SLOTS;
    this.#producers = producers;
    this.#consumers = consumers;
  }

  /** Bytes of memory for a ring of `size` slots. */
  static bytes(size: number): number {
    return (MPMC.SLOTS + size) * 4;
  }

  /** Enqueue exactly `count` elements from the start of `elements`, or none: `count` or 0. */
  enqueueBulk(elements: Uint32Array, count: number): number {
    return this.#enqueue(elements, count, count);
  }

  /** Enqueue up to `count` elements from the start of `elements`; returns how many. */
  enqueueBurst(elements: Uint32Array, count: number): number {
    return this.#enqueue(elements, count, 1);
  }

  /** Dequeue exactly `count` elements to the start of `elements`, or none: `count` or 0. */
  dequeueBulk(elements: Uint32Array, count: number): number {
    return this.#dequeue(elements, count, count);
  }

  /** Dequeue up to `max` elements to the start of `elements`; returns how many. */
  dequeueBurst(elements: Uint32Array, max: number): number {
    return this.#dequeue(elements, max, 1);
  }

  /** Slots in use: a moment's answer while others are at work. */
  get count(): number {
    const consumer = shim.shim_load_acquire(this.#map, this.#start + MPMC.CONSUMER_TAIL);
    const used = shim.shim_load_acquire(this.#map, this.#start + MPMC.PRODUCER_TAIL) - consumer;
    return Math.min(used >>> 0, this.size);
  }

  /** Set both ends to `position`, empty. Nobody may be using the ring. */
  reset(position = 0): void {
    const words = [MPMC.PRODUCER_HEAD, MPMC.PRODUCER_TAIL, MPMC.CONSUMER_HEAD, MPMC.CONSUMER_TAIL];
    for (const word of words) shim.shim_store_release(this.#map, this.#start + word, position);
  }

  #enqueue(elements: Uint32Array, count: number, least: number): number {
    const opposite = this.#start + MPMC.CONSUMER_TAIL;
    const headWord = this.#start + MPMC.PRODUCER_HEAD;
    let head: number, n: number;
    do {
      // The head before the opposite tail, both with acquire: a head newer than the tail it is
      // compared with would count slots that are not free (DPDK carried that bug for years).
      head = shim.shim_load_acquire(this.#map, headWord);
      // L2, pairs with S2 in #dequeue(): the slots counted as free have been read.
      const free = (this.size + shim.shim_load_acquire(this.#map, opposite) - head) >>> 0;
      n = count < free ? count : free;
      if (n < least || n === 0) return 0;
    } while (!this.#claim(headWord, head, n, this.#producers));

    const u32 = this.#u32;
    const mask = this.#mask;
    const slots = this.#slots;
    for (let i = 0; i < n; i++) u32[slots + ((head + i) & mask)] = elements[i];
    // S1, pairs with L1 in #dequeue(): who sees the tail sees the slots.
    this.#finish(this.#start + MPMC.PRODUCER_TAIL, head, n, this.#producers);
    return n;
  }

  #dequeue(elements: Uint32Array, max: number, least: number): number {
    const opposite = this.#start + MPMC.PRODUCER_TAIL;
    const headWord = this.#start + MPMC.CONSUMER_HEAD;
    let head: number, n: number;
    do {
      head = shim.shim_load_acquire(this.#map, headWord);
      // L1, pairs with S1 in #enqueue(): the slots counted as used have been written.
      const used = (shim.shim_load_acquire(this.#map, opposite) - head) >>> 0;
      n = max < used ? max : used;
      if (n < least || n === 0) return 0;
    } while (!this.#claim(headWord, head, n, this.#consumers));

    const u32 = this.#u32;
    const mask = this.#mask;
    const slots = this.#slots;
    for (let i = 0; i < n; i++) elements[i] = u32[slots + ((head + i) & mask)];
    // S2, pairs with L2 in #enqueue(): who sees the tail may overwrite the slots.
    this.#finish(this.#start + MPMC.CONSUMER_TAIL, head, n, this.#consumers);
    return n;
  }

  /** Step one: take the slots from `head` on. */
  #claim(headWord: number, head: number, n: number, sharing: Sharing): boolean {
    const next = (head + n) >>> 0;
    if (sharing === "multi") {
      return shim.shim_compare_and_swap(this.#map, headWord, head, next) === 1;
    }
    this.#u32[headWord] = next;
    return true;
  }

  /** Step two: when all who claimed before are done, hand the slots to the other end. */
  #finish(tailWord: number, head: number, n: number, sharing: Sharing): void {
    if (sharing === "multi") {
      for (let spins = 0; shim.shim_load_acquire(this.#map, tailWord) !== head; spins++) {
        if (spins < SPINS_BEFORE_YIELD) shim.shim_pause(1);
        else shim.shim_yield();
      }
    }
    shim.shim_store_release(this.#map, tailWord, (head + n) >>> 0);
  }
}
