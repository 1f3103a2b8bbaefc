import { DESCRIPTOR, DESCRIPTOR_FLAG, HEADROOM_BYTES } from "../memory/layout.ts";
import { checkFrame } from "./frame_check.ts";
import { FrameCopy } from "./frame_copy.ts";
import { FrameRelease } from "./frame_release.ts";
import { othersOf, shareMbuf } from "./refcount.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import type { MbufMetadata } from "./mbuf_metadata.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { Segments } from "./segments.ts";

const { INDEX_MASK } = DESCRIPTOR;
const { MORE, SHARED } = DESCRIPTOR_FLAG;

/**
 * Frames of several segments, and frames with several references (DPDK: chained mbufs,
 * `rte_mbuf_refcnt_update()`, `rte_pktmbuf_clone()`).
 *
 * A frame is named by the descriptor of its first segment. If that has the flag `MORE`, the
 * metadata of its mbuf ({@linkcode MbufMetadata}) contain the descriptor of the next segment, and
 * so on. There is no count of segments and no total length that could be wrong: both are computed.
 *
 * DPDK clones a frame by attaching another mbuf's header to its data. Here {@linkcode clone} makes
 * another descriptor: it costs no mbuf, and each descriptor has an offset and a length of its own.
 * Data, headroom, tailroom and the segments that follow are shared; so the owner of a descriptor
 * with the flag `SHARED` only reads, or puts a segment of its own in front by {@linkcode chain}.
 * When the last reference to a segment is freed, the mbuf goes back to the mempool.
 *
 * **One trust domain.** Such descriptors may pass between lcores, and between a host and guests
 * that it trusts with a shared mempool. They must not be lent to a guest that is not trusted, nor
 * sent by a port: {@linkcode isPlain} tells, {@linkcode linearize} and {@linkcode copy} help. The
 * host's ledger refuses to lend them, and strips all flags off what comes back.
 *
 * One `Frames` belongs to one thread, as its mempool does.
 *
 * @example
 * ```ts
 * import { Burst, Frames, MappedMemory, MbufMetadata, Mbufs, MbufView, Mempool } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20);
 * const mbufs = new Mbufs(memory, { offset: 0, stride: 2368, count: 100 });
 * const pool = Mempool.create(100);
 * const frames = new Frames(pool, mbufs, MbufMetadata.create(100));
 *
 * // One payload for two receivers, each with a header of its own in front.
 * const payload = Burst.of(2), headers = Burst.of(2);
 * pool.allocBulk(payload, 1);
 * new MbufView(mbufs).moveTo(payload, 0).append(1000);
 * frames.clone(payload, 0, payload, 1);
 * pool.allocBulk(headers, 2);
 * for (const i of [0, 1]) {
 *   new MbufView(mbufs).moveTo(headers, i).append(14);
 *   frames.chain(headers, i, payload, i);
 *   console.assert(frames.length(headers, i) === 1014 && frames.segments(headers, i) === 2);
 * }
 * frames.free(headers, 1);
 * console.assert(pool.available === 98, "the header is free, the payload is not");
 * frames.free(headers, 1, 1);
 * console.assert(pool.available === 100);
 * ```
 */
export class Frames {
  readonly #metadata: MbufMetadata;
  readonly #segments: Segments;
  readonly #copies: FrameCopy;
  readonly #released: FrameRelease;

  /**
   * Frames whose mbufs are those of one mempool.
   *
   * @param pool Where mbufs come from and go to; this thread's own end.
   * @param mbufs The mbufs of that mempool.
   * @param metadata The metadata on them; all threads have the same.
   */
  constructor(readonly pool: Mempool, readonly mbufs: Mbufs, metadata: MbufMetadata) {
    this.#metadata = metadata;
    this.#segments = new Segments(mbufs, metadata);
    this.#copies = new FrameCopy(pool, this.#segments);
    this.#released = new FrameRelease(pool, metadata);
  }

  /**
   * Whether each of `count` frames of `burst`, from number `at` on, has one segment and one
   * reference: such frames can be lent, sent by a port, and freed by `Mempool.free()`.
   */
  static isPlain(burst: Burst, count: number, at = 0): boolean {
    let flags = 0;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) flags |= burst.words[i];
    return (flags & (MORE | SHARED)) === 0;
  }

  /** Segments of frame `i` of `burst`; as many as there are mbufs if they form a loop. */
  segments(burst: Burst, i: number): number {
    return this.#segments.count(burst, i);
  }

  /** Bytes of frame `i` of `burst`, all segments together. */
  length(burst: Burst, i: number): number {
    return this.#segments.length(burst, i);
  }

  /**
   * References to the first segment of frame `i` of `burst` (DPDK: `rte_mbuf_refcnt_read`). Other
   * threads may change it at any time.
   */
  refcount(burst: Burst, i: number): number {
    const word0 = burst.words[i << 1];
    return (word0 & SHARED) === 0 ? 1 : 1 + othersOf(this.#metadata, word0 & INDEX_MASK);
  }

  /**
   * Add `more` references to frame `i` of `burst` (DPDK: `rte_mbuf_refcnt_update`). Its descriptor,
   * which changes, may then be given to so many others, and each of them frees it once.
   */
  addReferences(burst: Burst, i: number, more = 1): void {
    let words: Uint32Array = burst.words;
    for (let at = i << 1, left = this.mbufs.count; left > 0; left--) {
      const index = words[at] & INDEX_MASK;
      // A word that has the flag is not written: others may be reading it.
      if ((words[at] & SHARED) === 0) words[at] |= SHARED;
      shareMbuf(this.#metadata, index, more);
      if ((words[at] & MORE) === 0) return;
      words = this.#metadata.u32;
      at = this.#metadata.nextWord(index);
    }
  }

  /**
   * Make another descriptor of frame `i` of `burst`, number `t` of `to` (DPDK:
   * `rte_pktmbuf_clone`). Both are to be freed, in any order and by any thread.
   */
  clone(burst: Burst, i: number, to: Burst, t: number): void {
    this.addReferences(burst, i);
    to.words[t << 1] = burst.words[i << 1];
    to.words[(t << 1) + 1] = burst.words[(i << 1) + 1];
  }

  /**
   * Put frame `t` of `tail` behind frame `i` of `burst` (DPDK: `rte_pktmbuf_chain`). The tail,
   * which may be shared, is then part of the frame: its descriptor is not to be freed.
   *
   * @returns false, with nothing changed, if the last segment of the frame has other references.
   */
  chain(burst: Burst, i: number, tail: Burst, t: number): boolean {
    const segments = this.#segments;
    segments.findLast(burst, i);
    const word0 = segments.words[segments.at];
    // A reference to a segment is one to all that follow: if the last one is not shared, none is.
    if (!segments.isSole(word0)) return false;
    segments.link(word0 & INDEX_MASK, tail.words[t << 1], tail.words[(t << 1) + 1]);
    segments.words[segments.at] |= MORE;
    return true;
  }

  /**
   * Grow the last segment of frame `i` of `burst` by `n` bytes at its end (DPDK:
   * `rte_pktmbuf_append`).
   *
   * @returns false, with nothing changed, if its tailroom is smaller, or it has other references.
   */
  append(burst: Burst, i: number, n: number): boolean {
    const segments = this.#segments;
    segments.findLast(burst, i);
    const { words, at } = segments;
    const word1 = words[at + 1];
    const end = (word1 & 0xffff) + (word1 >>> 16) + n;
    if (end > this.mbufs.room || !segments.isSole(words[at])) return false;
    words[at + 1] = dataWord(word1 & 0xffff, (word1 >>> 16) + n);
    return true;
  }

  /**
   * Cut `n` bytes off the last segment of frame `i` of `burst` (DPDK: `rte_pktmbuf_trim`).
   *
   * @returns false, with nothing changed, if that segment is shorter, or the one before it has
   * other references.
   */
  trim(burst: Burst, i: number, n: number): boolean {
    const segments = this.#segments;
    segments.findLast(burst, i);
    const { words, at } = segments;
    const word1 = words[at + 1];
    if (n > word1 >>> 16 || !segments.mayChange) return false;
    words[at + 1] = dataWord(word1 & 0xffff, (word1 >>> 16) - n);
    return true;
  }

  /**
   * Copy bytes of frame `i` of `burst` to `into`, over all segments, as many as there is room for
   * (DPDK: `rte_pktmbuf_read`).
   *
   * @param offset The first byte of the frame that is wanted.
   * @returns how many bytes there were.
   */
  read(burst: Burst, i: number, into: Uint8Array, offset = 0): number {
    return this.#segments.gather(burst, i, offset, into, 0, into.length);
  }

  /**
   * Copy frame `i` of `burst` into new mbufs (DPDK: `rte_pktmbuf_copy`), as number `t` of `to`:
   * with the usual headroom in front, in as few segments as possible.
   *
   * @param offset The first byte of the frame that is wanted.
   * @param length Bytes that are wanted; fewer are copied if the frame ends before.
   * @returns false, with nothing changed, if the frame has no such byte, there are too few mbufs,
   * or more than 64 would be needed.
   */
  copy(
    burst: Burst,
    i: number,
    to: Burst,
    t: number,
    offset = 0,
    length = Infinity,
  ): boolean {
    return this.#copies.copy(burst, i, to, t, offset, length);
  }

  /**
   * Bring frame `i` of `burst` into one segment with one reference (DPDK: `rte_pktmbuf_linearize`):
   * into the tailroom of its first segment if it fits and that is not shared, otherwise into a new
   * mbuf. Other references see the frame as before.
   *
   * @returns false, with nothing changed, if the frame is too long for one mbuf, or there is none.
   *
   * @example
   * ```ts
   * import { addMempool, Burst, dataWord, Frames, MappedMemory, Region } from "../api.ts";
   *
   * const region = Region.build(MappedMemory.ofProcess(1 << 20), "r0");
   * const { pool, frames } = addMempool(region, "mbufs", { count: 100 });
   * const burst = Burst.of(2);
   * pool.allocBulk(burst, 2);
   * burst.words[1] = burst.words[3] = dataWord(128, 100);
   * frames.chain(burst, 0, burst, 1);
   * console.assert(frames.linearize(burst, 0) && Frames.isPlain(burst, 1));
   * console.assert(burst.words[1] === dataWord(128, 200) && pool.available === 99);
   * ```
   */
  linearize(burst: Burst, i: number): boolean {
    const at = i << 1;
    const word0 = burst.words[at];
    const word1 = burst.words[at + 1];
    const isSole = this.#segments.isSole(word0);
    if ((word0 & MORE) === 0 && isSole) {
      burst.words[at] &= ~SHARED;
      return true;
    }
    const total = this.length(burst, i);
    const offset = word1 & 0xffff;
    if (isSole && offset + total <= this.mbufs.room) {
      const length = word1 >>> 16;
      const byte = this.mbufs.frameByte(word0, word1) + length;
      this.#segments.gather(burst, i, length, this.mbufs.u8, byte, total - length);
      const next = this.#metadata.nextWord(word0 & INDEX_MASK);
      this.#released.release(this.#metadata.u32[next], this.#metadata.u32[next + 1]);
      burst.words[at] = word0 & ~(MORE | SHARED);
      burst.words[at + 1] = dataWord(offset, total);
    } else {
      if (total > this.mbufs.room - HEADROOM_BYTES || !this.copy(burst, i, burst, i)) return false;
      this.#released.release(word0, word1);
    }
    this.#released.flush();
    return true;
  }

  /**
   * Free `count` frames of `burst`, from number `at` on, with all their segments (DPDK:
   * `rte_pktmbuf_free_bulk`). A shared mbuf goes back to the mempool with its last reference.
   */
  free(burst: Burst, count: number, at = 0): void {
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      this.#released.release(burst.words[i], burst.words[i + 1]);
    }
    this.#released.flush();
  }

  /**
   * What is wrong with frame `i` of `burst`, which this thread owns; undefined if nothing is (DPDK:
   * `rte_mbuf_check`).
   */
  check(burst: Burst, i: number): string | undefined {
    return checkFrame(this.mbufs, this.#metadata, burst, i);
  }
}
