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

  readonly #u32: Uint32Array;
  readonly #map: number;
  readonly #mask: number;
  readonly #slots: number;
  readonly #producerWord: number;
  readonly #consumerWord: number;
  #producer: number;
  #consumer: number;

  /**
   * Use the ring whose memzone starts at `offset` (bytes).
   *
   * @param size Slots, a power of two, as both sides agreed: it is not read from shared memory.
   * @throws {CulvertError} if the size is no power of two.
   */
  constructor(memory: MappedMemory, offset: number, readonly size: number) {
    checkRingSize(size);
    const start = offset >>> 2;
    this.#u32 = memory.u32;
    this.#map = memory.map;
    this.#mask = size - 1;
    this.#slots = start + RING.SLOTS;
    this.#producerWord = start + RING.PRODUCER;
    this.#consumerWord = start + RING.CONSUMER;
    this.#producer = memory.load(this.#producerWord);
    this.#consumer = memory.load(this.#consumerWord);
    if ((this.#producer - this.#consumer) >>> 0 > size) {
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
    let free = this.size - ((this.#producer - this.#consumer) >>> 0);
    if (free < count) {
      this.#reloadConsumer();
      free = this.size - ((this.#producer - this.#consumer) >>> 0);
    }
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
    if (this.size - ((this.#producer - this.#consumer) >>> 0) < count) {
      this.#reloadConsumer();
      if (this.size - ((this.#producer - this.#consumer) >>> 0) < count) return 0;
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
    let used = (this.#producer - this.#consumer) >>> 0;
    if (used < max) {
      this.#reloadProducer();
      used = (this.#producer - this.#consumer) >>> 0;
    }
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
    if ((this.#producer - this.#consumer) >>> 0 < count) {
      this.#reloadProducer();
      if ((this.#producer - this.#consumer) >>> 0 < count) return 0;
    }
    this.#read(burst, count);
    return count;
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
    const u32 = this.#u32;
    const mask = this.#mask;
    const slots = this.#slots;
    let position = this.#producer;
    for (let i = 0; i < n; i++) {
      const slot = slots + ((position & mask) << 1);
      u32[slot] = burst[i << 1];
      u32[slot + 1] = burst[(i << 1) + 1];
      position = (position + 1) | 0;
    }
    this.#producer = position >>> 0;
    // S1, pairs with L1: who sees the position sees the slots and the frames they name.
    shim.shim_store_release(this.#map, this.#producerWord, this.#producer);
  }

  #read(burst: Uint32Array, n: number): void {
    const u32 = this.#u32;
    const mask = this.#mask;
    const slots = this.#slots;
    let position = this.#consumer;
    for (let i = 0; i < n; i++) {
      const slot = slots + ((position & mask) << 1);
      burst[i << 1] = u32[slot];
      burst[(i << 1) + 1] = u32[slot + 1];
      position = (position + 1) | 0;
    }
    this.#consumer = position >>> 0;
    // S2, pairs with L2: who sees the position may overwrite the slots, for we have read them.
    shim.shim_store_release(this.#map, this.#consumerWord, this.#consumer);
  }

  /** L1, pairs with S1. */
  #reloadProducer(): void {
    const producer = shim.shim_load_acquire(this.#map, this.#producerWord);
    if ((producer - this.#consumer) >>> 0 <= this.size) this.#producer = producer;
    else this.violations++;
  }

  /** L2, pairs with S2. */
  #reloadConsumer(): void {
    const consumer = shim.shim_load_acquire(this.#map, this.#consumerWord);
    if ((this.#producer - consumer) >>> 0 <= this.size) this.#consumer = consumer;
    else this.violations++;
  }
}
