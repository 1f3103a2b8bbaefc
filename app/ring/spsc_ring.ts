import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { RING } from "../memory/layout.ts";
import type { Burst } from "./burst.ts";
import { Ring, type RingShape } from "./ring.ts";
import type { ElementBytes } from "./ring_size.ts";
import { writeElement } from "./slots.ts";

/**
 * An SPSC ring, of 8-byte descriptors by default: the only kind that crosses a trust boundary.
 *
 * Each side makes its own `SpscRing` over the same memory and uses one end of it. Positions run
 * freely through 2^32 and are masked on access, so `used = (producer - consumer) >>> 0` needs no
 * branch and wastes no slot (DPDK `rte_ring`). Each side keeps its own position and a copy of the
 * other's in private memory, reloads the copy only when the ring looks full or empty (rigtorp
 * `SPSCQueue`), and publishes once per burst.
 *
 * A peer's position is read once and believed only if it is possible. One that is not is counted in
 * {@linkcode violations} and otherwise ignored: the ring then looks full, or empty. Either side may
 * also work in the ring's own slots: see {@linkcode reserveBulk} (DPDK `rte_ring_peek_zc.h`).
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
export class SpscRing extends Ring {
  /** Impossible positions that the peer has published. */
  violations = 0;
  // Our copies of the two positions, as int32: V8 keeps those in the object, larger numbers not.
  #producer: number;
  #consumer: number;

  /**
   * Use the ring whose memzone starts at `offset` (bytes, a multiple of 128).
   *
   * @param size Slots, a power of two, as both sides agreed: it is not read from shared memory.
   * @throws {CulvertError} if the size is no power of two, or the shape is not possible.
   */
  constructor(memory: MappedMemory, offset: number, size: number, shape: RingShape = {}) {
    const start = offset >>> 2;
    const [producer, consumer] = [start + RING.PRODUCER, start + RING.CONSUMER];
    const place = { memory, producer, consumer, slots: start + RING.SLOTS };
    super(place, size, shape.elementBytes ?? 8, shape.capacity);
    this.#producer = memory.load(producer) | 0;
    this.#consumer = memory.load(consumer) | 0;
    if (this.used > this.capacity) {
      this.violations++;
      this.#consumer = this.#producer;
    }
  }

  /** Bytes of memory for a ring of `size` slots, elements of 8 bytes by default. */
  static bytes(size: number, elementBytes: ElementBytes = 8): number {
    return RING.SLOTS * 4 + size * elementBytes;
  }

  /** Enqueue one element; false if there is no room. Words beyond its size are left out. */
  enqueue(word0: number, word1 = 0, word2 = 0, word3 = 0): boolean {
    if (this.reserveBulk(1) === 0) return false;
    const at = this.reserved * this.wordsPerElement;
    writeElement(this.words, at, this.wordsPerElement, word0, word1, word2, word3);
    this.commit(1);
    return true;
  }

  /** Dequeue one element: its first word, a descriptor's mbuf index, or -1. */
  dequeue(): number {
    if (this.peekBulk(1) === 0) return -1;
    const word0 = this.words[this.peeked * this.wordsPerElement];
    this.finish(1);
    return word0;
  }

  /**
   * Enqueue up to `count` elements of `burst`, from element `at` on; returns how many fitted.
   *
   * @throws {CulvertError} if the burst has fewer, or elements of another size.
   */
  enqueueBurst(burst: Burst, count: number, at = 0): number {
    this.writer.use(burst, count, at);
    const n = this.reserveBurst(count);
    if (n > 0) this.write(n, at);
    return n;
  }

  /** As {@linkcode enqueueBurst}, but exactly `count` elements, or none: `count` or 0. */
  enqueueBulk(burst: Burst, count: number, at = 0): number {
    this.writer.use(burst, count, at);
    const n = this.reserveBulk(count);
    if (n > 0) this.write(n, at);
    return n;
  }

  /** Dequeue up to `max` elements: see {@linkcode enqueueBurst}. */
  dequeueBurst(burst: Burst, max: number, at = 0): number {
    this.reader.use(burst, max, at);
    const n = this.peekBurst(max);
    if (n > 0) this.read(n, at);
    return n;
  }

  /** As {@linkcode dequeueBurst}, but exactly `count` elements, or none: `count` or 0. */
  dequeueBulk(burst: Burst, count: number, at = 0): number {
    this.reader.use(burst, count, at);
    const n = this.peekBulk(count);
    if (n > 0) this.read(n, at);
    return n;
  }

  /**
   * Producer: check that exactly `count` slots from {@linkcode reserved} on are free to be written
   * in place: `count` or 0. None is claimed: they can be reserved again until {@linkcode commit}.
   *
   * @example
   * ```ts
   * import { MappedMemory, SpscRing } from "../api.ts";
   *
   * const ring = new SpscRing(MappedMemory.ofProcess(SpscRing.bytes(4)), 0, 4);
   * const n = ring.reserveBulk(3);
   * for (let i = 0; i < n; i++) ring.words[((ring.reserved + i) & ring.mask) * 2] = 70 + i;
   * ring.commit(2); // the third slot is not claimed any more
   * console.assert(ring.peekBurst(3) === 2 && ring.words[ring.peeked * 2] === 70);
   * ```
   */
  reserveBulk(count: number): number {
    if (!(count > 0)) return 0;
    const most = this.capacity - count; // that may be in use
    return this.used <= most || this.reloadConsumer() <= most ? count : 0;
  }

  /** As {@linkcode reserveBulk}, but up to `count` slots; returns how many. */
  reserveBurst(count: number): number {
    if (!(count > 0)) return 0;
    let free = this.capacity - this.used;
    if (free < count) free = this.capacity - this.reloadConsumer();
    return count < free ? count : free;
  }

  /** Producer: number of the slot that comes next; the others follow, modulo the size. */
  get reserved(): number {
    return this.#producer & this.mask;
  }

  /** Producer: publish `n` slots from {@linkcode reserved} on, no more than were reserved. */
  commit(n: number): void {
    if (!(n > 0)) return;
    this.#producer = (this.#producer + n) | 0;
    // S1, pairs with L1: the side that sees the position sees the slots and their frames.
    shim.shim_store_release(this.map, this.producerWord, this.#producer >>> 0);
  }

  /**
   * Consumer: check that exactly `count` elements are there, to be read in place from slot
   * {@linkcode peeked} on: `count` or 0. They stay until {@linkcode finish}. A peer that is not
   * trusted may go on writing to them: read each word once, into private memory, and check that.
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

  /** Consumer: give back `n` slots from {@linkcode peeked} on, no more than were peeked. */
  finish(n: number): void {
    if (!(n > 0)) return;
    this.#consumer = (this.#consumer + n) | 0;
    // S2, pairs with L2: the side that sees the position may overwrite the slots that we have read.
    shim.shim_store_release(this.map, this.consumerWord, this.#consumer >>> 0);
  }

  /** Consumer: elements that wait, as the producer's position says now, if it is possible. */
  get pending(): number {
    return this.reloadProducer();
  }

  /** Start again from empty. Neither side may be using the ring. */
  reset(): void {
    this.#producer = this.#consumer = 0;
    shim.shim_store_release(this.map, this.producerWord, 0);
    shim.shim_store_release(this.map, this.consumerWord, 0);
  }

  /** Both positions, and what the peer did wrong. */
  protected positions(): string {
    return `producer ${this.load(this.producerWord)}, consumer ${this.load(this.consumerWord)}, ` +
      `${this.violations} violations`;
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /** S1, in the shim. It publishes nothing if somebody else has written our word: then we do. */
  private write(n: number, at: number): void {
    if (!this.writer.copy(this.#producer, n, at, this.producerWord)) this.commit(n);
    else this.#producer = (this.#producer + n) | 0;
  }

  /** S2, likewise. */
  private read(n: number, at: number): void {
    if (!this.reader.copy(this.#consumer, n, at, this.consumerWord)) this.finish(n);
    else this.#consumer = (this.#consumer + n) | 0;
  }

  /** Slots in use, as far as we know. */
  private get used(): number {
    return (this.#producer - this.#consumer) >>> 0;
  }

  /**
   * L1, pairs with S1. Returns the slots in use. While the ring is empty, the slot that comes next
   * is fetched, too: its cache line and that of the position travel at the same time.
   */
  private reloadProducer(): number {
    const consumer = this.#consumer >>> 0;
    const next = this.slotsWord + (consumer & this.mask) * this.wordsPerElement;
    const producer = shim.shim_load_awaited(this.map, this.producerWord, consumer, next);
    const used = (producer - consumer) >>> 0;
    if (used > this.capacity) this.violations++;
    else this.#producer = (this.#consumer + used) | 0;
    return this.used;
  }

  /** L2, pairs with S2. Returns the slots in use. */
  private reloadConsumer(): number {
    const used = (this.#producer - shim.shim_load_acquire(this.map, this.consumerWord)) >>> 0;
    if (used > this.capacity) this.violations++;
    else this.#consumer = (this.#producer - used) | 0;
    return this.used;
  }
}
