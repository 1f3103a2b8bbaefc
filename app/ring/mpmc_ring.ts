import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MPMC, MPMC_END } from "../memory/layout.ts";
import { type Burst, checkBurst } from "./burst.ts";
import { HtsEnd } from "./hts_end.ts";
import { MultiEnd } from "./multi_end.ts";
import type { EndPlace, RingEnd } from "./ring_end.ts";
import { checkCapacity, checkElementBytes, checkRingSize, type ElementBytes } from "./ring_size.ts";
import { RtsEnd } from "./rts_end.ts";
import { SingleEnd } from "./single_end.ts";
import { SlotsCopy, slotWords, writeElement } from "./slots.ts";

/**
 * How the threads that use an end of a ring agree (DPDK: `enum rte_ring_sync_type`).
 *
 * - `single`: there is one;
 * - `multi`: several, in two steps: each waits for those who began before it;
 * - `hts`, head-tail-sync: several, one at a time: a preempted thread blocks only who comes
 *   meanwhile;
 * - `rts`, relaxed-tail-sync: several at a time, and none waits for those who began before it.
 *
 * `hts` and `rts` are for more threads than cores, or vCPUs.
 */
export type Sharing = "single" | "multi" | "hts" | "rts";

/** What makes one ring differ from another of the same size. */
export interface MpmcShape {
  /** How producers agree; `multi` unless told. */
  readonly producers?: Sharing;
  /** How consumers agree; `multi` unless told. */
  readonly consumers?: Sharing;
  /** Bytes of an element: 4 unless told. In a burst it has a quarter as many words. */
  readonly elementBytes?: ElementBytes;
  /** Elements that the ring may hold; all its slots unless told. See `slotsFor()`. */
  readonly capacity?: number;
  /**
   * Of an `rts` end: how far the head may be ahead of the tail, for this user; an eighth of the
   * capacity unless told (DPDK).
   */
  readonly headTailMax?: number;
}

/**
 * A ring for any number of producers and consumers in one trust domain, with elements of 4 bytes
 * (mbuf indexes), 8 or 16.
 *
 * DPDK's `rte_ring`: {@linkcode Sharing} says how the threads of an end agree. A thread that dies
 * in the middle of an enqueue or dequeue blocks its end for ever, in every mode; that is why this
 * ring never crosses to a guest that is not trusted. Each thread makes its own `MpmcRing` over the
 * memory, all of the same shape.
 *
 * Elements are copied to and from a {@linkcode Burst} with elements of the same size. Both ends can also work in the ring's own slots: {@linkcode reserveBurst} and {@linkcode commit},
 * {@linkcode peekBurst} and {@linkcode finish} (DPDK `rte_ring_peek_zc.h`).
 *
 * @example
 * ```ts
 * import { Burst, MappedMemory, MpmcRing } from "../api.ts";
 *
 * const ring = new MpmcRing(MappedMemory.ofProcess(MpmcRing.bytes(4)), 0, 4);
 * const burst = Burst.of(32, 4);
 * burst.words.set([1, 2, 3]);
 * console.assert(ring.enqueueBulk(burst, 3) === 3);
 * console.assert(ring.dequeueBurst(burst, 32) === 3);
 * ```
 */
export class MpmcRing {
  /**
   * The slots as words, to be used between {@linkcode reserveBurst} and {@linkcode commit}, or
   * {@linkcode peekBurst} and {@linkcode finish}. Element `i` begins at word `((first + i) & mask)
   * * wordsPerElement`.
   */
  readonly words: Uint32Array;
  /** Slots less one. */
  readonly mask: number;
  /** Words of an element: 1, 2 or 4. */
  readonly wordsPerElement: number;
  /** Elements that the ring may hold. */
  readonly capacity: number;
  /** How producers agree. */
  readonly producers: Sharing;
  /** How consumers agree. */
  readonly consumers: Sharing;

  readonly #map: number;
  readonly #start: number;
  readonly #producer: RingEnd;
  readonly #consumer: RingEnd;
  readonly #writer: SlotsCopy;
  readonly #reader: SlotsCopy;
  #reserved = 0;
  #peeked = 0;

  /**
   * Use the ring whose memzone starts at `offset` (bytes, a multiple of 128).
   *
   * @param size Slots, a power of two; all of them can be used.
   * @throws {CulvertError} if the size is no power of two, or the shape is not possible.
   */
  constructor(memory: MappedMemory, offset: number, readonly size: number, shape: MpmcShape = {}) {
    const { producers = "multi", consumers = "multi", elementBytes = 4, capacity = size } = shape;
    checkRingSize(size);
    checkElementBytes(elementBytes);
    checkCapacity(capacity, size);
    const start = offset >>> 2;
    const headTailMax = shape.headTailMax ?? Math.max(1, capacity >>> 3);
    if (!Number.isInteger(headTailMax) || headTailMax < 1 || headTailMax > size) {
      throw new CulvertError(
        `Cannot use a ring whose head may be ${headTailMax} ahead of the tail: 1 to its size, ` +
          `${size}, are possible`,
      );
    }
    const line = { producer: start + MPMC.PRODUCER_HEAD, consumer: start + MPMC.CONSUMER_HEAD };
    this.capacity = capacity;
    this.producers = producers;
    this.consumers = consumers;
    this.wordsPerElement = elementBytes / 4;
    this.mask = size - 1;
    this.#map = memory.map;
    this.#start = start;
    const slots = { memory, start: start + MPMC.SLOTS, size, elementBytes };
    this.words = slotWords(slots);
    this.#writer = new SlotsCopy(slots, "write");
    this.#reader = new SlotsCopy(slots, "read");
    this.#producer = endOf(producers, headTailMax, {
      memory,
      line: line.producer,
      opposite: line.consumer,
      capacity,
      whenEqual: capacity,
    });
    this.#consumer = endOf(consumers, headTailMax, {
      memory,
      line: line.consumer,
      opposite: line.producer,
      capacity,
      whenEqual: 0,
    });
  }

  /** Bytes of memory for a ring of `size` slots, elements of 4 bytes unless told. */
  static bytes(size: number, elementBytes: ElementBytes = 4): number {
    return MPMC.SLOTS * 4 + size * elementBytes;
  }

  /**
   * Enqueue one element: of 4 bytes one word, of 8 two, of 16 four. Words that are too many for it
   * are left out.
   *
   * @returns whether there was room.
   */
  enqueue(word0: number, word1 = 0, word2 = 0, word3 = 0): boolean {
    if (this.#reserved > 0) refuseSecond("reserved");
    if (this.#producer.claim(1, 1) === 0) return false;
    const at = (this.#producer.head & this.mask) * this.wordsPerElement;
    writeElement(this.words, at, this.wordsPerElement, word0, word1, word2, word3);
    this.#producer.finish(1);
    return true;
  }

  /**
   * Dequeue one element: its first word, or -1 if there is none. `dequeueBulk(burst, 1)` gives all
   * words of one that has more.
   */
  dequeue(): number {
    if (this.#peeked > 0) refuseSecond("peeked");
    if (this.#consumer.claim(1, 1) === 0) return -1;
    const element = this.words[(this.#consumer.head & this.mask) * this.wordsPerElement];
    this.#consumer.finish(1);
    return element;
  }

  /**
   * Enqueue exactly `count` elements of `burst`, from element `at` on, or none: `count` or 0.
   *
   * @throws {CulvertError} if the burst has less, or elements of another size.
   */
  enqueueBulk(burst: Burst, count: number, at = 0): number {
    return this.write(burst, count, at, count);
  }

  /** As {@linkcode enqueueBulk}, but up to `count` elements; returns how many. */
  enqueueBurst(burst: Burst, count: number, at = 0): number {
    return this.write(burst, count, at, 1);
  }

  /**
   * Dequeue exactly `count` elements to `burst`, from element `at` on, or none: `count` or 0.
   *
   * @throws {CulvertError} if the burst has less, or elements of another size.
   */
  dequeueBulk(burst: Burst, count: number, at = 0): number {
    return this.read(burst, count, at, count);
  }

  /** As {@linkcode dequeueBulk}, but up to `max` elements; returns how many. */
  dequeueBurst(burst: Burst, max: number, at = 0): number {
    return this.read(burst, max, at, 1);
  }

  /**
   * Claim exactly `count` slots to write to in place, or none: `count` or 0. They are this thread's
   * until {@linkcode commit}; {@linkcode reserved} says which. Until then this object enqueues and
   * reserves nothing else.
   *
   * @throws {CulvertError} if slots are reserved already.
   *
   * @example
   * ```ts
   * import { MappedMemory, MpmcRing } from "../api.ts";
   *
   * const ring = new MpmcRing(MappedMemory.ofProcess(MpmcRing.bytes(4)), 0, 4);
   * console.assert(ring.reserveBulk(5) === 0);
   * const n = ring.reserveBulk(3);
   * for (let i = 0; i < n; i++) ring.words[(ring.reserved + i) & ring.mask] = 100 + i;
   * ring.commit(n);
   * console.assert(ring.dequeue() === 100 && ring.count === 2);
   * ```
   */
  reserveBulk(count: number): number {
    return this.#reserve(count, count);
  }

  /** As {@linkcode reserveBulk}, but up to `count` slots; returns how many. */
  reserveBurst(count: number): number {
    return this.#reserve(count, 1);
  }

  /**
   * Number of the first slot that is reserved, until {@linkcode commit}; the others follow, modulo
   * the size.
   */
  get reserved(): number {
    return this.#producer.head & this.mask;
  }

  /**
   * Publish the first `n` of the slots that were reserved. The others go back, which only a
   * `single` or `hts` end can do: in the other modes somebody may have claimed behind them.
   *
   * @throws {CulvertError} if `n` is more than was reserved, or less at an end that cannot give
   * back; nothing has been published then.
   */
  commit(n: number): void {
    if (n !== this.#reserved) this.#part("commit", this.#producer, this.producers, n);
    else if (n > 0) this.#producer.finish(n);
    this.#reserved = 0;
  }

  /**
   * Look at exactly `count` elements in place, or none: `count` or 0. They stay this thread's until
   * {@linkcode finish}; {@linkcode peeked} says where they are. Until then this object dequeues and
   * peeks nothing else.
   *
   * @throws {CulvertError} if elements are peeked already.
   *
   * @example
   * ```ts
   * import { MappedMemory, MpmcRing } from "../api.ts";
   *
   * const memory = MappedMemory.ofProcess(MpmcRing.bytes(4));
   * const ring = new MpmcRing(memory, 0, 4, { consumers: "single" });
   * for (const index of [5, 6, 7]) ring.enqueue(index);
   * const n = ring.peekBulk(3);
   * let sum = 0;
   * for (let i = 0; i < n; i++) sum += ring.words[(ring.peeked + i) & ring.mask];
   * ring.finish(2); // the last one stays
   * console.assert(sum === 18 && ring.dequeue() === 7);
   * ```
   */
  peekBulk(count: number): number {
    return this.#peek(count, count);
  }

  /** As {@linkcode peekBulk}, but up to `max` elements; returns how many. */
  peekBurst(max: number): number {
    return this.#peek(max, 1);
  }

  /**
   * Number of the slot of the first element that is peeked, until {@linkcode finish}; the others
   * follow, modulo the size.
   */
  get peeked(): number {
    return this.#consumer.head & this.mask;
  }

  /**
   * Take the first `n` of the elements that were peeked: their slots are free again. The others
   * stay in the ring, which only a `single` or `hts` end can do.
   *
   * @throws {CulvertError} if `n` is more than was peeked, or less at an end that cannot give back;
   * nothing has been taken then.
   */
  finish(n: number): void {
    if (n !== this.#peeked) this.#part("finish", this.#consumer, this.consumers, n);
    else if (n > 0) this.#consumer.finish(n);
    this.#peeked = 0;
  }

  /** Elements in the ring: a moment's answer while others are at work. */
  get count(): number {
    const consumer = shim.shim_load_acquire(this.#map, this.#start + MPMC.CONSUMER_TAIL);
    const used = shim.shim_load_acquire(this.#map, this.#start + MPMC.PRODUCER_TAIL) - consumer;
    return Math.min(used >>> 0, this.capacity);
  }

  /**
   * Elements that there is room for: a moment's answer while others are at work. See
   * {@linkcode count}.
   */
  get freeCount(): number {
    return this.capacity - this.count;
  }

  /** Whether there is no room: a moment's answer while others are at work. */
  get isFull(): boolean {
    return this.count === this.capacity;
  }

  /** Whether there is nothing in the ring: a moment's answer while others are at work. */
  get isEmpty(): boolean {
    return this.count === 0;
  }

  /**
   * Set both ends to `position`, empty. Nobody may be using the ring, and every other `MpmcRing`
   * over the same memory must be made anew: it remembers positions.
   */
  reset(position = 0): void {
    this.#reserved = this.#peeked = 0;
    this.#consumer.reset(position);
    this.#producer.reset(position);
    this.#consumer.reset(position); // once more: it loads what the producers' end has stored
  }

  /** The ring as text: shape, fill and positions (DPDK `rte_ring_dump`). */
  dump(): string {
    const load = (word: number) => shim.shim_load_acquire(this.#map, this.#start + word);
    const { size, capacity, wordsPerElement, count, producers, consumers } = this;
    return `${size} slots of ${wordsPerElement * 4} bytes, capacity ${capacity}: ` +
      `${count} used, ${capacity - count} free\n` +
      `producers ${producers}: head ${load(MPMC.PRODUCER_HEAD + headWord(producers))}, ` +
      `tail ${load(MPMC.PRODUCER_TAIL)}\n` +
      `consumers ${consumers}: head ${load(MPMC.CONSUMER_HEAD + headWord(consumers))}, ` +
      `tail ${load(MPMC.CONSUMER_TAIL)}\n`;
  }

  #reserve(count: number, least: number): number {
    if (this.#reserved > 0) refuseSecond("reserved");
    return this.#reserved = this.#producer.claim(Math.floor(count), least);
  }

  #peek(count: number, least: number): number {
    if (this.#peeked > 0) refuseSecond("peeked");
    return this.#peeked = this.#consumer.claim(Math.floor(count), least);
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /** Enqueue up to `count` elements, `least` at least; returns how many. */
  private write(burst: Burst, count: number, at: number, least: number): number {
    checkBurst(burst, this.wordsPerElement, count, at);
    if (this.#reserved > 0) refuseSecond("reserved");
    return this.#producer.move(this.#writer, burst, Math.floor(count), at, least);
  }

  /** Dequeue up to `max` elements, `least` at least; returns how many. */
  private read(burst: Burst, max: number, at: number, least: number): number {
    checkBurst(burst, this.wordsPerElement, max, at);
    if (this.#peeked > 0) refuseSecond("peeked");
    return this.#consumer.move(this.#reader, burst, Math.floor(max), at, least);
  }

  #part(what: "commit" | "finish", end: RingEnd, sharing: Sharing, n: number): void {
    const claimed = what === "commit" ? this.#reserved : this.#peeked;
    const isPart = Number.isInteger(n) && n >= 0 && n < claimed;
    if (isPart && end.finishPart(n)) return;
    const wanted = isPart
      ? `an end of mode ${sharing} gives nothing back; use single or hts`
      : "no more than that is possible";
    throw new CulvertError(`Cannot ${what} ${n} slots of a ring as ${claimed} are held: ${wanted}`);
  }
}

function refuseSecond(what: "reserved" | "peeked"): never {
  const end = what === "reserved" ? "commit" : "finish";
  throw new CulvertError(
    `Cannot use an end of a ring as slots are ${what} there: ${end}() them first`,
  );
}

function headWord(sharing: Sharing): number {
  return sharing === "rts" ? MPMC_END.RTS_HEAD : MPMC_END.HEAD;
}

function endOf(sharing: Sharing, headTailMax: number, place: EndPlace): RingEnd {
  switch (sharing) {
    case "single":
      return new SingleEnd(place);
    case "multi":
      return new MultiEnd(place);
    case "hts":
      return new HtsEnd(place);
    case "rts":
      return new RtsEnd(place, headTailMax);
  }
}
