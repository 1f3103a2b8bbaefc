import { DESCRIPTOR, DESCRIPTOR_FLAG, HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord } from "../mempool/mbuf.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { Burst } from "../ring/burst.ts";
import type { Segments } from "./segments.ts";

/** Most segments of a copy. */
const SEGMENTS_MAX = 64;

/** Copies frames into fresh mbufs, for {@linkcode Frames}. */
export class FrameCopy {
  readonly #pool: Mempool;
  readonly #segments: Segments;
  readonly #fresh = Burst.of(SEGMENTS_MAX);

  /** Mbufs come from `pool`. */
  constructor(pool: Mempool, segments: Segments) {
    this.#pool = pool;
    this.#segments = segments;
  }

  /** As `Frames.copy()`. */
  copy(
    burst: Burst,
    i: number,
    to: Burst,
    t: number,
    offset: number,
    length: number,
  ): boolean {
    const there = this.#segments.length(burst, i) - offset;
    if (!(offset >= 0 && length >= 0) || there < 0 || there === 0 && offset > 0) return false;
    const wanted = Math.min(there, length);
    const { mbufs } = this.#segments;
    const capacity = mbufs.room - HEADROOM_BYTES;
    const n = Math.max(1, Math.ceil(wanted / capacity));
    if (n > SEGMENTS_MAX || this.#pool.allocBulk(this.#fresh, n) !== n) return false;
    const fresh = this.#fresh.words;
    for (let k = 0; k < n; k++) {
      const bytes = Math.min(capacity, wanted - k * capacity);
      const byte = mbufs.frameByte(fresh[k << 1], HEADROOM_BYTES);
      this.#segments.gather(burst, i, offset + k * capacity, mbufs.u8, byte, bytes);
      fresh[(k << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
    }
    for (let k = n - 2; k >= 0; k--) {
      const index = fresh[k << 1] & DESCRIPTOR.INDEX_MASK;
      this.#segments.link(index, fresh[(k << 1) + 2], fresh[(k << 1) + 3]);
      fresh[k << 1] |= DESCRIPTOR_FLAG.MORE;
    }
    to.words[t << 1] = fresh[0];
    to.words[(t << 1) + 1] = fresh[1];
    return true;
  }
}
