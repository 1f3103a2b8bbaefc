import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { DESCRIPTOR } from "../memory/layout.ts";
import { MpmcRing } from "../ring/mpmc_ring.ts";
import { EMPTY_DATA } from "./mbuf.ts";

/** What a Worker needs to use a mempool; survives `postMessage`. */
export interface MempoolHandle {
  /** The free ring's memory: private to the host's process, or a region's. */
  readonly memory: MappedMemoryHandle;
  /** Where the free ring begins in it, in bytes. */
  readonly offset: number;
  /** Slots of the free ring. */
  readonly ringSize: number;
  /** Mbufs in all. */
  readonly total: number;
}

/** Mbufs that an lcore keeps back for itself by default; one refill serves this many. */
const CACHE_SIZE = 256;

/** A cache that has grown to this times its size is brought back to it (DPDK). */
const FLUSH_FACTOR = 1.5;

/** Most mbufs that one call allocates. */
const BULK_MAX = 512;

/** Slots of the free ring of `total` mbufs. */
export function freeRingSize(total: number): number {
  return 2 ** Math.max(1, Math.ceil(Math.log2(total)));
}

/**
 * A fixed set of mbufs: a free ring of their indexes that all lcores share, and a cache in front of it that is
 * this lcore's alone (DPDK `rte_mempool`). The cache is a stack, so that the mbuf freed last, warm in
 * this core's caches, is the next one used.
 *
 * The free ring is host-private memory, which no guest can corrupt, unless it is explicitly shared
 * (`addMempool`). One `Mempool` belongs to one thread; others {@linkcode attach} to the same free ring.
 *
 * @example
 * ```ts
 * import { Mempool } from "./mempool.ts";
 *
 * const pool = Mempool.create(1000);
 * const burst = new Uint32Array(2 * 32); // 32 descriptors
 * console.assert(pool.allocBulk(burst, 32) === 32);
 * pool.free(burst, 32);
 * console.assert(pool.available === 1000);
 * ```
 */
export class Mempool {
  readonly #ring: MpmcRing;
  readonly #cache: Uint32Array;
  readonly #spill: Uint32Array;
  readonly #cacheSize: number;
  readonly #flushThreshold: number;
  #cached = 0;

  private constructor(readonly handle: MempoolHandle, cacheSize: number) {
    this.#ring = new MpmcRing(new MappedMemory(handle.memory), handle.offset, handle.ringSize);
    this.#cacheSize = Math.min(cacheSize, handle.total >>> 2);
    this.#flushThreshold = Math.floor(this.#cacheSize * FLUSH_FACTOR);
    this.#cache = new Uint32Array(this.#cacheSize + BULK_MAX);
    this.#spill = new Uint32Array(this.#cache.length);
  }

  /**
   * Make a mempool of the mbufs 0 to `total - 1`, all free.
   *
   * @param cacheSize Mbufs to keep back for this thread; 0 for none.
   */
  static create(total: number, cacheSize = CACHE_SIZE): Mempool {
    const memory = MappedMemory.ofProcess(MpmcRing.bytes(freeRingSize(total)));
    return new Mempool(Mempool.fill(memory, 0, total), cacheSize);
  }

  /** Make a free ring of the mbufs 0 to `total - 1`, all free, in zeroed memory from byte `offset` on. */
  static fill(memory: MappedMemory, offset: number, total: number): MempoolHandle {
    const ringSize = freeRingSize(total);
    const all = Uint32Array.from({ length: total }, (_, index) => index);
    new MpmcRing(memory, offset, ringSize).enqueueBulk(all, total);
    return { memory: memory.handle, offset, ringSize, total };
  }

  /**
   * Use a mempool that another thread made, with a cache of this thread's own.
   *
   * @param cacheSize Mbufs to keep back for this thread; 0 for none.
   */
  static attach(handle: MempoolHandle, cacheSize = CACHE_SIZE): Mempool {
    return new Mempool(handle, cacheSize);
  }

  /** Mbufs free to this thread: in the free ring and in its own cache. */
  get available(): number {
    return this.#ring.count + this.#cached;
  }

  /**
   * Allocate exactly `count` (512 at most) mbufs, or none, as empty descriptors from descriptor number `at` of
   * `burst` on.
   *
   * @returns `count` or 0.
   */
  allocBulk(burst: Uint32Array, count: number, at = 0): number {
    if (this.#cached < count && !this.#refill(count)) return 0;
    return this.#pop(burst, count, at);
  }

  /** As {@linkcode allocBulk}, but up to `max` (512 at most); returns how many. */
  allocBurst(burst: Uint32Array, max: number, at = 0): number {
    if (this.#cached < max && !this.#refill(max)) {
      const room = Math.min(max, this.#cache.length) - this.#cached;
      this.#push(this.#ring.dequeueBurst(this.#spill, room));
    }
    return this.#pop(burst, max < this.#cached ? max : this.#cached, at);
  }

  /** Free the mbufs of `count` descriptors from descriptor number `at` of `burst` on. */
  free(burst: Uint32Array, count: number, at = 0): void {
    const cache = this.#cache;
    let cached = this.#cached;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      if (cached === cache.length) cached = this.#flush(cached);
      cache[cached++] = burst[i] & DESCRIPTOR.INDEX_MASK;
    }
    this.#cached = cached > this.#flushThreshold ? this.#flush(cached) : cached;
  }

  /** Give the cache back to the free ring, when this thread ends. */
  close(): void {
    this.#ring.enqueueBulk(this.#cache, this.#cached);
    this.#cached = 0;
  }

  #pop(burst: Uint32Array, count: number, at: number): number {
    let cached = this.#cached;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      burst[i] = this.#cache[--cached];
      burst[i + 1] = EMPTY_DATA;
    }
    this.#cached = cached;
    return count;
  }

  /** Bring the cache to its size and `count` more, or to `count`; false, with nothing taken, if not. */
  #refill(count: number): boolean {
    const missing = count - this.#cached;
    if (count > this.#cache.length) return false;
    const wanted = Math.min(missing + this.#cacheSize, this.#cache.length - this.#cached);
    let n = this.#ring.dequeueBulk(this.#spill, wanted);
    if (n === 0) n = this.#ring.dequeueBulk(this.#spill, missing);
    this.#push(n);
    return n > 0;
  }

  /** Put the first `n` indexes of the spill on the cache. */
  #push(n: number): void {
    for (let i = 0; i < n; i++) this.#cache[this.#cached++] = this.#spill[i];
  }

  /** Give the older part of the cache, the colder mbufs, back to the free ring. */
  #flush(cached: number): number {
    const surplus = cached - this.#cacheSize;
    this.#ring.enqueueBulk(this.#cache, surplus);
    this.#cache.copyWithin(0, surplus, cached);
    return this.#cacheSize;
  }
}
