import { CulvertError } from "../../ffi/error.ts";
import { DESCRIPTOR } from "../memory/layout.ts";

/** How many mbufs a thread keeps in a cache of its own (DPDK `rte_mempool_cache`). */
export interface CacheOptions {
  /**
   * Mbufs in the cache after a refill or a flush. 256 by default, 0 for no cache, and never more
   * than a quarter of all mbufs.
   */
  readonly cacheSize?: number;
  /**
   * A cache with more mbufs than this after a `free()` is flushed down to `cacheSize`. From
   * `cacheSize` to 512 more; 1.5 times `cacheSize` by default, as in DPDK.
   */
  readonly flushThreshold?: number;
}

/** The default `cacheSize`. */
export const CACHE_SIZE = 256;
const FLUSH_FACTOR = 1.5;

/** Most mbufs that one call allocates. */
export const BULK_MAX = 512;

/**
 * The size of a cache, and above how many mbufs it is flushed, in a mempool of `total` mbufs.
 *
 * @throws {CulvertError} if a mempool cannot have so many mbufs, or such a cache.
 */
export function checkedCache(
  total: number,
  cache: number | CacheOptions,
): { size: number; threshold: number } {
  const { cacheSize = CACHE_SIZE, flushThreshold } = typeof cache === "number"
    ? { cacheSize: cache }
    : cache;
  if (!Number.isInteger(total) || total < 1 || total > DESCRIPTOR.INDEX_MASK + 1) {
    throw new CulvertError(
      `Cannot use a mempool of ${total} mbufs: 1 to ${DESCRIPTOR.INDEX_MASK + 1} are possible`,
    );
  }
  if (!Number.isInteger(cacheSize) || cacheSize < 0) {
    throw new CulvertError(
      `Cannot use a mempool with a cache of ${cacheSize} mbufs: 0 or more are possible`,
    );
  }
  const size = Math.min(cacheSize, total >>> 2);
  const threshold = flushThreshold ?? Math.floor(size * FLUSH_FACTOR);
  if (flushThreshold === undefined) {
    return { size, threshold: Math.min(threshold, size + BULK_MAX) };
  }
  const [least, most] = [cacheSize, cacheSize + BULK_MAX];
  if (!Number.isInteger(threshold) || threshold < least || threshold > most) {
    throw new CulvertError(
      `Cannot use a mempool with a cache of ${cacheSize} mbufs that is flushed above ${threshold}: ` +
        `${least} to ${most} are possible`,
    );
  }
  return { size, threshold: Math.min(threshold, size + BULK_MAX) };
}
