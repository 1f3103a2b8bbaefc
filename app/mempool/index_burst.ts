/**
 * Room for a burst of bare mbuf indexes. The same memory can be read two indexes at a time, as a
 * float64 that nobody calculates with: V8 copies 8 bytes as fast as 4, so that a mempool moves a burst in half the
 * time. No pair of indexes is a NaN, whose bits might change under way: the upper index is below 2^24.
 *
 * @example
 * ```ts
 * import { IndexBurst } from "../api.ts";
 *
 * const burst = new IndexBurst(3);
 * burst.indexes.set([7, 8, 9]);
 * console.assert(burst.indexes.length >= 3 && burst.pairs.buffer === burst.indexes.buffer);
 * ```
 */
export class IndexBurst {
  /** The mbuf indexes. */
  readonly indexes: Uint32Array<ArrayBuffer>;
  /** The same memory as pairs of them, for the mempool. */
  readonly pairs: Float64Array<ArrayBuffer>;

  /** Room for `size` indexes, rounded up to an even number. */
  constructor(size: number) {
    this.pairs = new Float64Array((size + 1) >>> 1);
    this.indexes = new Uint32Array(this.pairs.buffer);
  }
}
