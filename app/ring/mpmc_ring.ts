import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { MPMC } from "../memory/layout.ts";
import type { Burst } from "./burst.ts";
import { Ring } from "./ring.ts";
import type { RingEnd } from "./ring_end.ts";
import type { ElementBytes } from "./ring_size.ts";
import {
  endOf,
  finishPart,
  headTailMaxOf,
  headWord,
  type MpmcShape,
  refuseSecond,
  type Sharing,
} from "./sharing.ts";
import { writeElement } from "./slots.ts";

/**
 * A ring for any number of producers and consumers in one trust domain, with elements of 4 bytes
 * (mbuf indexes) by default.
 *
 * DPDK's `rte_ring`: {@linkcode Sharing} says how the threads of an end agree. A thread that dies
 * in the middle of an enqueue or dequeue blocks its end for ever, in every mode; that is why this
 * ring never crosses to a guest that is not trusted. Each thread makes its own `MpmcRing` over the
 * memory, all of the same shape.
 *
 * A {@linkcode Burst} is copied. Either end can also work in the ring's own slots: see
 * {@linkcode reserveBulk} (DPDK `rte_ring_peek_zc.h`).
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
export class MpmcRing extends Ring {
  /** How producers agree. */
  readonly producers: Sharing;
  /** How consumers agree. */
  readonly consumers: Sharing;
  readonly #start: number;
  readonly #producer: RingEnd;
  readonly #consumer: RingEnd;
  #reserved = 0;
  #peeked = 0;

  /**
   * Use the ring whose memzone starts at `offset` (bytes, a multiple of 128).
   *
   * @param size Slots, a power of two; all of them can be used.
   * @throws {CulvertError} if the size is no power of two, or the shape is not possible.
   */
  constructor(memory: MappedMemory, offset: number, size: number, shape: MpmcShape = {}) {
    const { producers = "multi", consumers = "multi" } = shape;
    const start = offset >>> 2;
    const [producer, consumer] = [start + MPMC.PRODUCER_TAIL, start + MPMC.CONSUMER_TAIL];
    const place = { memory, producer, consumer, slots: start + MPMC.SLOTS };
    super(place, size, shape.elementBytes ?? 4, shape.capacity);
    const [capacity, headTailMax] = [this.capacity, headTailMaxOf(shape, this.capacity, size)];
    this.producers = producers;
    this.consumers = consumers;
    this.#start = start;
    const [line, opposite] = [start + MPMC.PRODUCER_HEAD, start + MPMC.CONSUMER_HEAD];
    const ofProducers = { memory, line, opposite, capacity, whenEqual: capacity };
    const ofConsumers = { memory, line: opposite, opposite: line, capacity, whenEqual: 0 };
    this.#producer = endOf(producers, headTailMax, ofProducers);
    this.#consumer = endOf(consumers, headTailMax, ofConsumers);
  }

  /** Bytes of memory for a ring of `size` slots, elements of 4 bytes by default. */
  static bytes(size: number, elementBytes: ElementBytes = 4): number {
    return MPMC.SLOTS * 4 + size * elementBytes;
  }

  /** Enqueue one element; false if there is no room. Words beyond its size are left out. */
  enqueue(word0: number, word1 = 0, word2 = 0, word3 = 0): boolean {
    if (this.#reserved > 0) refuseSecond("reserved");
    if (this.#producer.claim(1, 1) === 0) return false;
    const at = (this.#producer.head & this.mask) * this.wordsPerElement;
    writeElement(this.words, at, this.wordsPerElement, word0, word1, word2, word3);
    this.#producer.finish(1);
    return true;
  }

  /** Dequeue one element: its first word, or -1 if there is none. */
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
   * @throws {CulvertError} if the burst has fewer, or elements of another size.
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
   * @throws {CulvertError} if the burst has no room for so many, or elements of another size.
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
   * const memory = MappedMemory.ofProcess(MpmcRing.bytes(4));
   * const ring = new MpmcRing(memory, 0, 4, { consumers: "single" });
   * const n = ring.reserveBulk(3);
   * for (let i = 0; i < n; i++) ring.words[(ring.reserved + i) & ring.mask] = 100 + i;
   * ring.commit(n);
   * console.assert(ring.peekBulk(3) === 3 && ring.words[ring.peeked] === 100);
   * ring.finish(1); // the others stay
   * console.assert(ring.dequeue() === 101);
   * ```
   */
  reserveBulk(count: number): number {
    return this.reserve(count, count);
  }

  /** As {@linkcode reserveBulk}, but up to `count` slots; returns how many. */
  reserveBurst(count: number): number {
    return this.reserve(count, 1);
  }

  /** Number of the first slot that is reserved; the others follow, modulo the size. */
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
    if (n !== this.#reserved) finishPart(this.#producer, this.producers, n, this.#reserved);
    else if (n > 0) this.#producer.finish(n);
    this.#reserved = 0;
  }

  /**
   * Look at exactly `count` elements in place, or none: `count` or 0. They stay this thread's until
   * {@linkcode finish}; {@linkcode peeked} says where they are. Until then this object dequeues and
   * peeks nothing else.
   *
   * @throws {CulvertError} if elements are peeked already.
   */
  peekBulk(count: number): number {
    return this.peek(count, count);
  }

  /** As {@linkcode peekBulk}, but up to `max` elements; returns how many. */
  peekBurst(max: number): number {
    return this.peek(max, 1);
  }

  /** Number of the slot of the first element that is peeked; the others follow, modulo the size. */
  get peeked(): number {
    return this.#consumer.head & this.mask;
  }

  /** Take the first `n` elements that were peeked; the others stay: see {@linkcode commit}. */
  finish(n: number): void {
    if (n !== this.#peeked) finishPart(this.#consumer, this.consumers, n, this.#peeked);
    else if (n > 0) this.#consumer.finish(n);
    this.#peeked = 0;
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

  /** Both ends' heads and tails. */
  protected positions(): string {
    const { producers, consumers } = this;
    const head = this.load(this.#start + MPMC.PRODUCER_HEAD + headWord(producers));
    const other = this.load(this.#start + MPMC.CONSUMER_HEAD + headWord(consumers));
    return `producers ${producers}: head ${head}, tail ${this.load(this.producerWord)}\n` +
      `consumers ${consumers}: head ${other}, tail ${this.load(this.consumerWord)}`;
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /** Claim up to `count` slots, `least` at least; returns how many. */
  private reserve(count: number, least: number): number {
    if (this.#reserved > 0) refuseSecond("reserved");
    return this.#reserved = this.#producer.claim(Math.floor(count), least);
  }

  /** Claim up to `count` elements, `least` at least; returns how many. */
  private peek(count: number, least: number): number {
    if (this.#peeked > 0) refuseSecond("peeked");
    return this.#peeked = this.#consumer.claim(Math.floor(count), least);
  }

  /** Enqueue up to `count` elements, `least` at least; returns how many. */
  private write(burst: Burst, count: number, at: number, least: number): number {
    this.writer.use(burst, count, at);
    if (this.#reserved > 0) refuseSecond("reserved");
    return this.#producer.move(this.writer, Math.floor(count), at, least);
  }

  /** Dequeue up to `max` elements, `least` at least; returns how many. */
  private read(burst: Burst, max: number, at: number, least: number): number {
    this.reader.use(burst, max, at);
    if (this.#peeked > 0) refuseSecond("peeked");
    return this.#consumer.move(this.reader, Math.floor(max), at, least);
  }
}
