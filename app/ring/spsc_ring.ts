import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR, RING } from "../memory/layout.ts";
import { checkRingSize } from "./ring_size.ts";

/**
 * A ring of 8-byte descriptors for one producer and one consumer: the only kind that crosses a
 * trust boundary.
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
 * A burst is a `Uint32Array` that starts at a multiple of 8 bytes, two words a descriptor.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { SpscRing } from "./spsc_ring.ts";
 *
 * const memory = MappedMemory.ofProcess(SpscRing.bytes(4));
 * const [producer, consumer] = [new SpscRing(memory, 0, 4), new SpscRing(memory, 0, 4)];
 * const burst = new Uint32Array([7, 64 << 16]); // one descriptor: mbuf 7, 64 bytes at offset 0
 * console.assert(producer.enqueueBurst(burst, 1) === 1);
 * console.assert(consumer.dequeueBurst(burst, 32) === 1);
 * ```
 */
export class SpscRing {
  /** Impossible positions that the peer has published. */
  violations = 0;

  readonly #map: number;
  readonly #mask: number;
  readonly #slots: BigUint64Array;
  readonly #producerWord: number;
  readonly #consumerWord: number;
  /** Our copies of the two positions, as int32: V8 keeps those in the object, larger numbers not. */
  #producer: number;
  #consumer: number;
  #burst: Uint32Array = new Uint32Array();
  #elements: BigUint64Array = new BigUint64Array();

  /**
   * Use the ring whose memzone starts at `offset` (bytes).
   *
   * @param size Slots, a power of two, as both sides agreed: it is not read from shared memory.
   * @throws {CulvertError} if the size is no power of two.
   */
  constructor(memory: MappedMemory, offset: number, readonly size: number) {
    checkRingSize(size);
    const start = offset >>> 2;
    this.#map = memory.map;
    this.#mask = size - 1;
    this.#slots = new BigUint64Array(
      memory.u32.buffer,
      memory.u32.byteOffset + offset + RING.SLOTS * 4,
      size,
    );
    this.#producerWord = start + RING.PRODUCER;
    this.#consumerWord = start + RING.CONSUMER;
    this.#producer = memory.load(this.#producerWord) | 0;
    this.#consumer = memory.load(this.#consumerWord) | 0;
    if (this.#used > size) {
      this.violations++;
      this.#consumer = this.#producer;
    }
  }

  /** Bytes of memory for a ring of `size` slots. */
  static bytes(size: number): number {
    return (RING.SLOTS + size * DESCRIPTOR.WORDS) * 4;
  }

  /**
   * Enqueue up to `count` descriptors from the start of `burst`.
   *
   * @returns how many fitted; they have been published.
   */
  enqueueBurst(burst: Uint32Array, count: number): number {
    let free = this.size - this.#used;
    if (free < count) free = this.size - this.#reloadConsumer();
    const n = count < free ? count : free;
    if (n > 0) this.#write(burst, n);
    return n;
  }

  /**
   * Enqueue exactly `count` descriptors, or none.
   *
   * @returns `count` or 0.
   */
  enqueueBulk(burst: Uint32Array, count: number): number {
    if (this.size - this.#used < count) {
      if (this.size - this.#reloadConsumer() < count) return 0;
    }
    this.#write(burst, count);
    return count;
  }

  /**
   * Dequeue up to `max` descriptors to the start of `burst`.
   *
   * @returns how many there were; their slots have been given back.
   */
  dequeueBurst(burst: Uint32Array, max: number): number {
    let used = this.#used;
    if (used < max) used = this.#reloadProducer();
    const n = max < used ? max : used;
    if (n > 0) this.#read(burst, n);
    return n;
  }

  /**
   * Dequeue exactly `count` descriptors, or none.
   *
   * @returns `count` or 0.
   */
  dequeueBulk(burst: Uint32Array, count: number): number {
    if (this.#used < count && this.#reloadProducer() < count) return 0;
    this.#read(burst, count);
    return count;
  }

  /** Consumer: descriptors that wait, as the producer's position says now, if it is possible. */
  get pending(): number {
    return this.#reloadProducer();
  }

  /** Slots in use, as the words in memory say now: a moment's answer while a peer is at work. */
  get count(): number {
    const producer = shim.shim_load_acquire(this.#map, this.#producerWord);
    return (producer - shim.shim_load_acquire(this.#map, this.#consumerWord)) >>> 0;
  }

  /** Start again from empty. Neither side may be using the ring. */
  reset(): void {
    this.#producer = this.#consumer = 0;
    shim.shim_store_release(this.#map, this.#producerWord, 0);
    shim.shim_store_release(this.#map, this.#consumerWord, 0);
  }

  #write(burst: Uint32Array, n: number): void {
    const elements = burst === this.#burst ? this.#elements : this.#widen(burst);
    const at = this.#producer & this.#mask;
    const toEnd = this.size - at;
    if (n <= toEnd) {
      copyElements(this.#slots, at, elements, 0, n);
    } else {
      copyElements(this.#slots, at, elements, 0, toEnd);
      copyElements(this.#slots, 0, elements, toEnd, n - toEnd);
    }
    this.#producer = (this.#producer + n) | 0;
    // S1, pairs with L1: who sees the position sees the slots and the frames they name.
    shim.shim_store_release(this.#map, this.#producerWord, this.#producer >>> 0);
  }

  #read(burst: Uint32Array, n: number): void {
    const elements = burst === this.#burst ? this.#elements : this.#widen(burst);
    const at = this.#consumer & this.#mask;
    const toEnd = this.size - at;
    if (n <= toEnd) {
      copyElements(elements, 0, this.#slots, at, n);
    } else {
      copyElements(elements, 0, this.#slots, at, toEnd);
      copyElements(elements, toEnd, this.#slots, 0, n - toEnd);
    }
    this.#consumer = (this.#consumer + n) | 0;
    // S2, pairs with L2: who sees the position may overwrite the slots, for we have read them.
    shim.shim_store_release(this.#map, this.#consumerWord, this.#consumer >>> 0);
  }

  /** A burst as 8-byte elements; the last one is remembered, as loops use the same one again. */
  #widen(burst: Uint32Array): BigUint64Array {
    this.#burst = burst;
    this.#elements = new BigUint64Array(burst.buffer, burst.byteOffset, burst.length >>> 1);
    return this.#elements;
  }

  /** Slots in use, as far as we know. */
  get #used(): number {
    return (this.#producer - this.#consumer) >>> 0;
  }

  /** L1, pairs with S1. Returns the slots in use. */
  #reloadProducer(): number {
    const used = (shim.shim_load_acquire(this.#map, this.#producerWord) - this.#consumer) >>> 0;
    if (used > this.size) this.violations++;
    else this.#producer = (this.#consumer + used) | 0;
    return this.#used;
  }

  /** L2, pairs with S2. Returns the slots in use. */
  #reloadConsumer(): number {
    const used = (this.#producer - shim.shim_load_acquire(this.#map, this.#consumerWord)) >>> 0;
    if (used > this.size) this.violations++;
    else this.#consumer = (this.#producer - used) | 0;
    return this.#used;
  }
}

/**
 * Copy `count` elements. V8 moves an element of one BigUint64Array to another by one load and one
 * store and makes no BigInt of it; two words a descriptor take half as long again.
 */
function copyElements(
  target: BigUint64Array,
  to: number,
  source: BigUint64Array,
  from: number,
  count: number,
): void {
  for (const end = from + count; from < end; from++, to++) target[to] = source[from];
}
