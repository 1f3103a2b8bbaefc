import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { RING } from "../memory/layout.ts";
import { type Burst, checkBurst } from "./burst.ts";
import { checkCapacity, checkElementBytes, checkRingSize, type ElementBytes } from "./ring_size.ts";
import { SlotsCopy, slotWords, writeElement } from "./slots.ts";

/** What makes one ring differ from another of the same size; both sides must say the same. */
export interface SpscShape {
  /** Bytes of an element: 8, a descriptor, unless told. */
  readonly elementBytes?: ElementBytes;
  /** Elements that the ring may hold; all its slots unless told. See `slotsFor()`. */
  readonly capacity?: number;
}

/**
 * A ring for one producer and one consumer, of 8-byte descriptors unless told: the only kind that
 * crosses a trust boundary.
 *
 * Each side makes its own `SpscRing` over the same memory and uses one end of it. Positions run
 * freely through 2^32 and are masked on access, so `used = (producer - consumer) >>> 0` needs no
 * branch and wastes no slot (DPDK `rte_ring`). Each side keeps its own position and a copy of the
 * other's in private memory, reloads the copy only when the ring looks full or empty (rigtorp
 * `SPSCQueue`), and publishes once per burst.
 *
 * A peer's position is read once and believed only if it is possible. One that is not is counted in
 * {@linkcode violations} and otherwise ignored: the ring then looks full, or empty.
 *
 * Counts are whole numbers. A {@linkcode Burst} is copied; either side may instead work in the
 * ring's own slots, between {@linkcode reserveBurst} and {@linkcode commit}, or
 * {@linkcode peekBurst} and {@linkcode finish} (DPDK `rte_ring_peek_zc.h`).
 *
 * @example
 * ```ts
 * import { Burst, MappedMemory, SpscRing } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(SpscRing.bytes(4));
 * const [producer, consumer] = [new SpscRing(memory, 0, 4), new SpscRing(memory, 0, 4)];
 * const burst = Burst.of(32);
 * burst.words.set([7, 64 << 16]); // one descriptor: mbuf 7, 64 bytes at offset 0
 * console.assert(producer.enqueueBurst(burst, 1) === 1);
 * console.assert(consumer.dequeueBurst(burst, 32) === 1 && burst.words[0] === 7);
 * ```
 */
export class SpscRing {
  /** Impossible positions that the peer has published. */
  violations = 0;

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

  readonly #map: number;
  readonly #writer: SlotsCopy;
  readonly #reader: SlotsCopy;
  readonly #producerWord: number;
  readonly #consumerWord: number;
  /**
   * Our copies of the two positions, as int32: V8 keeps those in the object, larger numbers not.
   */
  #producer: number;
  #consumer: number;

  /**
   * Use the ring whose memzone starts at `offset` (bytes, a multiple of 128).
   *
   * @param size Slots, a power of two, as both sides agreed: it is not read from shared memory.
   * @throws {CulvertError} if the size is no power of two, or the shape is not possible.
   */
  constructor(memory: MappedMemory, offset: number, readonly size: number, shape: SpscShape = {}) {
    const { elementBytes = 8, capacity = size } = shape;
    checkRingSize(size);
    checkElementBytes(elementBytes);
    checkCapacity(capacity, size);
    const start = offset >>> 2;
    this.capacity = capacity;
    this.wordsPerElement = elementBytes / 4;
    this.mask = size - 1;
    this.#map = memory.map;
    const slots = { memory, start: start + RING.SLOTS, size, elementBytes };
    this.words = slotWords(slots);
    this.#writer = new SlotsCopy(slots, "write");
    this.#reader = new SlotsCopy(slots, "read");
    this.#producerWord = start + RING.PRODUCER;
    this.#consumerWord = start + RING.CONSUMER;
    this.#producer = memory.load(this.#producerWord) | 0;
    this.#consumer = memory.load(this.#consumerWord) | 0;
    if (this.used > capacity) {
      this.violations++;
      this.#consumer = this.#producer;
    }
  }

  /** Bytes of memory for a ring of `size` slots, elements of 8 bytes unless told. */
  static bytes(size: number, elementBytes: ElementBytes = 8): number {
    return RING.SLOTS * 4 + size * elementBytes;
  }

  /**
   * Enqueue one element: of 8 bytes, a descriptor, two words, of 4 bytes one, of 16 four. Words
   * that are too many for it are left out.
   *
   * @returns whether there was room.
   */
  enqueue(word0: number, word1 = 0, word2 = 0, word3 = 0): boolean {
    if (this.reserveBulk(1) === 0) return false;
    const at = this.reserved * this.wordsPerElement;
    writeElement(this.words, at, this.wordsPerElement, word0, word1, word2, word3);
    this.commit(1);
    return true;
  }

  /** Dequeue one element: its first word, which is a descriptor's mbuf index, or -1. */
  dequeue(): number {
    if (this.peekBulk(1) === 0) return -1;
    const word0 = this.words[this.peeked * this.wordsPerElement];
    this.finish(1);
    return word0;
  }

  /**
   * Enqueue up to `count` elements of `burst`, from element `at` on.
   *
   * @returns how many fitted; they have been published.
   * @throws {CulvertError} if the burst has less, or elements of another size.
   */
  enqueueBurst(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, this.wordsPerElement, count, at);
    const n = this.reserveBurst(count);
    if (n > 0) this.write(burst, n, at);
    return n;
  }

  /** As {@linkcode enqueueBurst}, but exactly `count` elements, or none: `count` or 0. */
  enqueueBulk(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, this.wordsPerElement, count, at);
    const n = this.reserveBulk(count);
    if (n > 0) this.write(burst, n, at);
    return n;
  }

  /**
   * Dequeue up to `max` elements to `burst`, from element `at` on.
   *
   * @returns how many there were; their slots have been given back.
   * @throws {CulvertError} if the burst has less, or elements of another size.
   */
  dequeueBurst(burst: Burst, max: number, at = 0): number {
    checkBurst(burst, this.wordsPerElement, max, at);
    const n = this.peekBurst(max);
    if (n > 0) this.read(burst, n, at);
    return n;
  }

  /** As {@linkcode dequeueBurst}, but exactly `count` elements, or none: `count` or 0. */
  dequeueBulk(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, this.wordsPerElement, count, at);
    const n = this.peekBulk(count);
    if (n > 0) this.read(burst, n, at);
    return n;
  }

  /**
   * Producer: see that exactly `count` slots from {@linkcode reserved} on are free to be written in
   * place. Nothing is claimed: until {@linkcode commit} they can be reserved again.
   *
   * @returns `count` or 0.
   *
   * @example
   * ```ts
   * import { MappedMemory, SpscRing } from "../api.ts";
   *
   * const memory = MappedMemory.ofProcess(SpscRing.bytes(4));
   * const [producer, consumer] = [new SpscRing(memory, 0, 4), new SpscRing(memory, 0, 4)];
   * const n = producer.reserveBulk(3);
   * for (let i = 0; i < n; i++) {
   *   const word = ((producer.reserved + i) & producer.mask) * 2;
   *   producer.words[word] = i; // mbuf index
   *   producer.words[word + 1] = 64 << 16; // 64 bytes at offset 0
   * }
   * producer.commit(2); // the third slot is not claimed any more
   * console.assert(consumer.count === 2);
   * ```
   */
  reserveBulk(count: number): number {
    if (!(count > 0)) return 0;
    if (this.capacity - this.used >= count) return count;
    return this.capacity - this.reloadConsumer() >= count ? count : 0;
  }

  /** As {@linkcode reserveBulk}, but up to `count` slots; returns how many. */
  reserveBurst(count: number): number {
    if (!(count > 0)) return 0;
    let free = this.capacity - this.used;
    if (free < count) free = this.capacity - this.reloadConsumer();
    return count < free ? count : free;
  }

  /**
   * Producer: number of the first slot that may be reserved; the others follow, modulo the size.
   */
  get reserved(): number {
    return this.#producer & this.mask;
  }

  /**
   * Producer: publish the first `n` slots from {@linkcode reserved} on, no more than have been
   * reserved. The count is the caller's to keep: more would overtake the consumer.
   */
  commit(n: number): void {
    if (!(n > 0)) return;
    this.#producer = (this.#producer + n) | 0;
    // S1, pairs with L1: who sees the position sees the slots and the frames they name.
    shim.shim_store_release(this.#map, this.#producerWord, this.#producer >>> 0);
  }

  /**
   * Consumer: see that exactly `count` elements are there, to be read in place from slot
   * {@linkcode peeked} on. They stay there until {@linkcode finish}, and can be peeked again.
   *
   * A peer that is not trusted may go on writing to them: read each word once, into private memory,
   * and check that.
   *
   * @returns `count` or 0.
   *
   * @example
   * ```ts
   * import { MappedMemory, SpscRing } from "../api.ts";
   *
   * const memory = MappedMemory.ofProcess(SpscRing.bytes(4));
   * const [producer, consumer] = [new SpscRing(memory, 0, 4), new SpscRing(memory, 0, 4)];
   * for (const index of [5, 6, 7]) producer.enqueue(index);
   * const n = consumer.peekBulk(3);
   * let sum = 0;
   * for (let i = 0; i < n; i++) sum += consumer.words[((consumer.peeked + i) & consumer.mask) * 2];
   * consumer.finish(2); // the last one stays
   * console.assert(sum === 18 && consumer.dequeue() === 7);
   * ```
   */
  peekBulk(count: number): number {
    if (!(count > 0)) return 0;
    return this.used >= count || this.reloadProducer() >= count ? count : 0;
  }

  /** As {@linkcode peekBulk}, but up to `max` elements; returns how many. */
  peekBurst(max: number): number {
    if (!(max > 0)) return 0;
    let used = this.used;
    if (used < max) used = this.reloadProducer();
    return max < used ? max : used;
  }

  /** Consumer: number of the slot of the first element; the others follow, modulo the size. */
  get peeked(): number {
    return this.#consumer & this.mask;
  }

  /** Consumer: give back the first `n` slots from {@linkcode peeked} on, no more than were peeked. */
  finish(n: number): void {
    if (!(n > 0)) return;
    this.#consumer = (this.#consumer + n) | 0;
    // S2, pairs with L2: who sees the position may overwrite the slots, for we have read them.
    shim.shim_store_release(this.#map, this.#consumerWord, this.#consumer >>> 0);
  }

  /** Consumer: elements that wait, as the producer's position says now, if it is possible. */
  get pending(): number {
    return this.reloadProducer();
  }

  /**
   * Elements in the ring, as the words in memory say now: a moment's answer while a peer is at work.
   * The capacity, if they say more.
   */
  get count(): number {
    // The consumer's first: the producer's, loaded later, is never behind it.
    const consumer = shim.shim_load_acquire(this.#map, this.#consumerWord);
    const used = (shim.shim_load_acquire(this.#map, this.#producerWord) - consumer) >>> 0;
    return Math.min(used, this.capacity);
  }

  /** Elements that there is room for, as the words in memory say now. */
  get freeCount(): number {
    return Math.max(0, this.capacity - this.count);
  }

  /** Whether there is no room, as the words in memory say now. */
  get isFull(): boolean {
    return this.count >= this.capacity;
  }

  /** Whether there is nothing in the ring, as the words in memory say now. */
  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** The ring as text: shape, fill, positions and what the peer did wrong (DPDK `rte_ring_dump`). */
  dump(): string {
    const consumer = shim.shim_load_acquire(this.#map, this.#consumerWord);
    const producer = shim.shim_load_acquire(this.#map, this.#producerWord);
    const { size, capacity, wordsPerElement, violations } = this;
    const used = (producer - consumer) >>> 0;
    return `${size} slots of ${wordsPerElement * 4} bytes, capacity ${capacity}: ` +
      `${used} used, ${Math.max(0, capacity - used)} free\n` +
      `producer ${producer}, consumer ${consumer}, ${violations} violations\n`;
  }

  /** Start again from empty. Neither side may be using the ring. */
  reset(): void {
    this.#producer = this.#consumer = 0;
    shim.shim_store_release(this.#map, this.#producerWord, 0);
    shim.shim_store_release(this.#map, this.#consumerWord, 0);
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /** Copy to the first `n` free slots, and publish. */
  private write(burst: Burst, n: number, at: number): void {
    // S1, in the shim. It does not publish if somebody else has written our word.
    if (this.#writer.copy(this.#producer, burst, n, at, this.#producerWord)) {
      this.#producer = (this.#producer + n) | 0;
    } else {
      this.commit(n);
    }
  }

  /** Copy from the first `n` used slots, and give them back. */
  private read(burst: Burst, n: number, at: number): void {
    // S2, in the shim, likewise.
    if (this.#reader.copy(this.#consumer, burst, n, at, this.#consumerWord)) {
      this.#consumer = (this.#consumer + n) | 0;
    } else {
      this.finish(n);
    }
  }

  /** Slots in use, as far as we know. */
  private get used(): number {
    return (this.#producer - this.#consumer) >>> 0;
  }

  /** L1, pairs with S1. Returns the slots in use. */
  private reloadProducer(): number {
    const used = (shim.shim_load_acquire(this.#map, this.#producerWord) - this.#consumer) >>> 0;
    if (used > this.capacity) this.violations++;
    else this.#producer = (this.#consumer + used) | 0;
    return this.used;
  }

  /** L2, pairs with S2. Returns the slots in use. */
  private reloadConsumer(): number {
    const used = (this.#producer - shim.shim_load_acquire(this.#map, this.#consumerWord)) >>> 0;
    if (used > this.capacity) this.violations++;
    else this.#consumer = (this.#producer - used) | 0;
    return this.used;
  }
}
