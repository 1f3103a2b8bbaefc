import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { DESCRIPTOR } from "../memory/layout.ts";
import { Burst, descriptorsOf, descriptorWordsOf } from "../ring/burst.ts";
import { MpmcRing } from "../ring/mpmc_ring.ts";
import { BULK_MAX, CACHE_SIZE, type CacheOptions, checkedCache } from "./cache_options.ts";
import { newFreeRing, visitFreeRing } from "./free_ring.ts";
import { EMPTY_DATA } from "./mbuf.ts";
import type { MempoolHandle } from "./mempool_handle.ts";

/**
 * A fixed set of mbufs: a free ring of their indexes that all lcores share, and in front of it a
 * cache of this lcore's own (DPDK `rte_mempool`). The cache is a stack: the mbuf that was freed
 * last, which is still in the core's caches, is allocated next.
 *
 * The free ring is in host-private memory, where no guest can corrupt it, unless it is explicitly
 * shared (`addMempool`). One `Mempool` belongs to one thread; others {@linkcode attach} to the same
 * free ring.
 *
 * @example
 * ```ts
 * import { Burst, Mempool } from "../api.ts";
 *
 * const pool = Mempool.create(1000);
 * const burst = Burst.of(32);
 * console.assert(pool.allocBulk(burst, 32) === 32);
 * pool.free(burst, 32);
 *
 * const { handle } = pool; // in a program: posted to a Worker
 * const worker = Mempool.attach(handle, { cacheSize: 64 });
 * worker.allocBulk(burst, 10);
 * worker.free(burst, 10);
 * console.assert(pool.available === 1000 - 74, "the Worker's cache is not ours");
 * worker.close();
 * console.assert(pool.available === 1000);
 * ```
 */
export class Mempool {
  readonly #ring: MpmcRing;
  /**
   * Empty descriptors of free mbufs, each moved as one number; the one on top was freed last. Their
   * first words, the indexes, change; their second words never do.
   */
  readonly #stack: Float64Array;
  /** The same memory: an index in each even word. */
  readonly #indexes: Uint32Array;
  /** Indexes on their way between the stack and the free ring. */
  readonly #spill: Burst;
  readonly #cacheSize: number;
  readonly #flushThreshold: number;
  /** Mbufs from this index on are long. */
  readonly #longFrom: number;
  readonly #long?: Mempool;
  #cached = 0;

  /** For {@linkcode create}, {@linkcode attach} and derived classes. */
  protected constructor(readonly handle: MempoolHandle, cache: number | CacheOptions) {
    this.#ring = new MpmcRing(new MappedMemory(handle.memory), handle.offset, handle.ringSize);
    const { size, threshold } = checkedCache(handle.total, cache);
    this.#cacheSize = size;
    this.#flushThreshold = threshold;
    const capacity = size + BULK_MAX + 1;
    this.#spill = Burst.of(capacity, 4);
    this.#indexes = new Uint32Array(2 * capacity).fill(EMPTY_DATA);
    this.#stack = new Float64Array(this.#indexes.buffer);
    this.#longFrom = handle.long ? handle.total : DESCRIPTOR.INDEX_MASK + 1;
    if (handle.long) this.#long = new Mempool(handle.long, cache);
  }

  /**
   * Make a mempool of the mbufs 0 to `total - 1`, all free.
   *
   * @param total Mbufs, 1 to 2^24.
   * @param cache The cache of this thread; a number is a `cacheSize`.
   * @param long The mempool of long mbufs, behind the others.
   * @throws {CulvertError} if there is no such cache.
   */
  static create(
    total: number,
    cache: number | CacheOptions = CACHE_SIZE,
    long?: MempoolHandle,
  ): Mempool {
    checkedCache(total, cache);
    return new Mempool({ ...newFreeRing(total), long }, cache);
  }

  /**
   * Use a mempool that another thread made, with a cache of this thread's own.
   *
   * @param cache The cache of this thread; a number is a `cacheSize`.
   * @throws {CulvertError} if there is no such cache.
   */
  static attach(handle: MempoolHandle, cache: number | CacheOptions = CACHE_SIZE): Mempool {
    return new Mempool(handle, cache);
  }

  /** Mbufs free to this thread: in the free ring and in its own cache. */
  get available(): number {
    return this.#ring.count + this.#cached;
  }

  /** The long mbufs, if there are any. They are freed here, with the others. */
  get long(): Mempool | undefined {
    return this.#long;
  }

  /**
   * Mbufs not free to this thread: those that are allocated, and those in other threads' caches
   * until they {@linkcode close}. Out of date at once while others are at work.
   */
  get inUse(): number {
    return this.handle.total - this.available;
  }

  /**
   * Allocate exactly `count` (512 at most) mbufs, or none, as empty descriptors `at` to
   * `at + count - 1` of `burst`.
   *
   * @returns `count` or 0.
   * @throws {CulvertError} if the burst has no such descriptors.
   */
  allocBulk(burst: Burst, count: number, at = 0): number {
    const descriptors = descriptorsOf(burst, count, at);
    if (this.#cached < count && !this.#refill(count)) return 0;
    return this.pop(descriptors, count, at);
  }

  /** As {@linkcode allocBulk}, but up to `max` (512 at most); returns how many. */
  allocBurst(burst: Burst, max: number, at = 0): number {
    const descriptors = descriptorsOf(burst, max, at);
    if (this.#cached < max) this.#refillFor(max);
    return this.pop(descriptors, max < this.#cached ? max : this.#cached, at);
  }

  /**
   * Free the mbufs of `count` descriptors of `burst`, from descriptor number `at` on.
   *
   * @throws {CulvertError} if the burst has no such descriptors.
   */
  free(burst: Burst, count: number, at = 0): void {
    const words = descriptorWordsOf(burst, count, at);
    let cached = this.#cached;
    if (cached + count > this.#flushThreshold) return this.freeMany(words, count, at);
    const indexes = this.#indexes;
    const longFrom = this.#longFrom;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      const index = words[i] & DESCRIPTOR.INDEX_MASK;
      if (index < longFrom) indexes[cached++ << 1] = index;
      else this.#long!.freeOne(index);
    }
    this.#cached = cached;
  }

  /**
   * Visit each free mbuf: first those in the free ring, then those in this thread's cache. No other
   * thread may be allocating or freeing meanwhile.
   */
  walkFree(visit: (index: number) => void): void {
    visitFreeRing(this.handle, visit);
    for (let i = 0; i < this.#cached; i++) visit(this.#indexes[2 * i]);
  }

  /** Visit each mbuf, and whether it is free to this thread: see {@linkcode walkFree}. */
  walk(visit: (index: number, isFree: boolean) => void): void {
    const { total } = this.handle;
    const isFree = new Uint8Array(total);
    this.walkFree((index) => isFree[index] = 1);
    for (let index = 0; index < total; index++) visit(index, isFree[index] === 1);
  }

  /** The cache's options, and how many mbufs are in it: for `dumpMempool()`. */
  get cache(): { readonly size: number; readonly flushThreshold: number; readonly cached: number } {
    return { size: this.#cacheSize, flushThreshold: this.#flushThreshold, cached: this.#cached };
  }

  /** Give the cache back to the free ring, when this thread ends. */
  close(): void {
    this.#giveBack(this.#cached);
    this.#cached = 0;
    this.#long?.close();
  }

  /** Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns. */
  private pop(descriptors: Float64Array, count: number, at: number): number {
    const stack = this.#stack;
    let cached = this.#cached;
    this.#cached = cached - count;
    for (let i = at, end = at + count; i < end; i++) descriptors[i] = stack[--cached];
    return count;
  }

  /** Free one mbuf by its index. */
  private freeOne(index: number): void {
    this.#indexes[2 * this.#cached] = index;
    if (++this.#cached > this.#flushThreshold) this.#cached = this.#flush(this.#cached);
  }

  /** Free descriptors that fill the cache, and bring it back to its size. */
  private freeMany(words: Uint32Array, count: number, at: number): void {
    const indexes = this.#indexes;
    const longFrom = this.#longFrom, capacity = this.#stack.length;
    let cached = this.#cached;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      if (cached === capacity) cached = this.#flush(cached);
      const index = words[i] & DESCRIPTOR.INDEX_MASK;
      if (index < longFrom) indexes[cached++ << 1] = index;
      else this.#long!.freeOne(index);
    }
    this.#cached = cached > this.#flushThreshold ? this.#flush(cached) : cached;
  }

  /** Fill the cache to `max`, or with as many as there are. */
  #refillFor(max: number): void {
    if (this.#refill(max)) return;
    const room = Math.min(max, this.#stack.length) - this.#cached;
    this.#push(this.#ring.dequeueBurst(this.#spill, room));
  }

  /**
   * Fill the cache to its size and `count` more, or else to `count`; returns whether that was
   * possible.
   */
  #refill(count: number): boolean {
    const cached = this.#cached, capacity = this.#stack.length;
    if (count > capacity) return false;
    const missing = count - cached;
    const wanted = Math.min(missing + this.#cacheSize, capacity - cached);
    let n = this.#ring.dequeueBulk(this.#spill, wanted);
    if (n === 0) n = this.#ring.dequeueBulk(this.#spill, missing);
    this.#push(n);
    return n > 0;
  }

  /** Put the first `n` of {@linkcode #spill} onto the stack. */
  #push(n: number): void {
    const { words } = this.#spill, indexes = this.#indexes, cached = this.#cached;
    for (let i = 0; i < n; i++) indexes[(cached + i) << 1] = words[i];
    this.#cached = cached + n;
  }

  /** Give the older part of the cache, the colder mbufs, back to the free ring. */
  #flush(cached: number): number {
    const surplus = cached - this.#cacheSize;
    this.#giveBack(surplus);
    this.#stack.copyWithin(0, surplus, cached);
    return this.#cacheSize;
  }

  /** Give the lowest `n` of the stack back to the free ring. */
  #giveBack(n: number): void {
    const { words } = this.#spill, indexes = this.#indexes;
    for (let i = 0; i < n; i++) words[i] = indexes[i << 1];
    this.#ring.enqueueBulk(this.#spill, n);
  }
}
