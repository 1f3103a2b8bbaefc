import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG, HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "./mbuf.ts";
import type { MbufNotes } from "./mbuf_notes.ts";
import type { Mempool } from "./mempool.ts";

const { INDEX_MASK } = DESCRIPTOR;
const { MORE, SHARED, POOL_SHIFT } = DESCRIPTOR_FLAG;

/** Flags that somebody sets. */
const KNOWN_FLAGS = MORE | SHARED | 0xf << POOL_SHIFT;

/** Plain descriptors that are freed at a time, and most segments of a copy. */
const BATCH = 64;

/** More holders than this are a count that fell below none. */
const HOLDERS_MAX = 2 ** 24;

/**
 * Frames of several segments, and frames that several hold (DPDK: chained mbufs, `rte_mbuf_refcnt_update()`,
 * `rte_pktmbuf_clone()`).
 *
 * A frame is named by the descriptor of its first segment. If that has the flag `MORE`, the descriptor of the
 * next segment is noted beside the mbuf ({@linkcode MbufNotes}), and so on. There is no count of segments or
 * total length to go wrong: they are what the walk finds.
 *
 * Where DPDK clones a frame by attaching another mbuf's header to its data, here another descriptor does:
 * {@linkcode clone} costs no mbuf, and each holder has an offset and a length of its own. What holders share
 * is data, headroom, tailroom and what follows; so whoever holds a descriptor with the flag `SHARED` reads only, or
 * puts a segment of its own in front by {@linkcode chain}. When the last holder frees a segment, it
 * goes back to the mempool.
 *
 * **One trust domain.** Such descriptors may pass between lcores, and between a host and guests that it
 * trusts with a shared mempool. They must not be lent to a guest that is not trusted, nor to a port:
 * {@linkcode isPlain} tells, {@linkcode linearize} and {@linkcode copy} help. The host's ledger strips
 * flags off what comes back, so that no guest can feign any.
 *
 * One `Frames` belongs to one thread, as its mempool does.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { Frames } from "./frames.ts";
 * import { Mbufs, MbufView } from "./mbuf.ts";
 * import { MbufNotes } from "./mbuf_notes.ts";
 * import { Mempool } from "./mempool.ts";
 *
 * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 20), { offset: 0, stride: 2368, count: 100 });
 * const pool = Mempool.create(100);
 * const frames = new Frames(pool, mbufs, MbufNotes.create(100));
 *
 * // One payload for two receivers, each with a header of its own in front.
 * const payload = new Uint32Array(2 * 2), headers = new Uint32Array(2 * 2);
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
  readonly #notes: MbufNotes;
  readonly #batch = new Uint32Array(2 * BATCH);
  #batched = 0;
  /** Where the descriptor of a frame's last segment is, as {@linkcode #findLast} left it. */
  #words: Uint32Array;
  #at = 0;
  /** Whether this holder alone may change that descriptor. */
  #mayChange = true;

  /**
   * Frames whose mbufs are those of one mempool.
   *
   * @param pool Where mbufs come from and go to; this thread's own end.
   * @param mbufs The mbufs of that mempool.
   * @param notes The notes on them; all threads have the same.
   */
  constructor(readonly pool: Mempool, readonly mbufs: Mbufs, notes: MbufNotes) {
    this.#notes = notes;
    this.#words = this.#batch;
  }

  /**
   * Whether none of `count` frames from number `at` of `burst` on has segments that follow or other holders:
   * such a burst can be lent, sent by a port, and freed by `Mempool.free()`.
   *
   * @example
   * ```ts
   * import { Frames } from "./frames.ts";
   * import { DESCRIPTOR_FLAG } from "../memory/layout.ts";
   *
   * console.assert(Frames.isPlain(new Uint32Array([7, 128]), 1));
   * console.assert(!Frames.isPlain(new Uint32Array([7 | DESCRIPTOR_FLAG.SHARED, 128]), 1));
   * ```
   */
  static isPlain(burst: Uint32Array, count: number, at = 0): boolean {
    let flags = 0;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) flags |= burst[i];
    return (flags & (MORE | SHARED)) === 0;
  }

  /** Mbufs that frame `i` of `burst` consists of. At most as many as there are: a loop ends there. */
  segments(burst: Uint32Array, i: number): number {
    let n = 1;
    let word0 = burst[i << 1];
    while ((word0 & MORE) !== 0 && n < this.mbufs.count) {
      word0 = this.#notes.u32[this.#notes.nextWord(word0 & INDEX_MASK)];
      n++;
    }
    return n;
  }

  /** Bytes of frame `i` of `burst`, all segments together. */
  length(burst: Uint32Array, i: number): number {
    const { u32 } = this.#notes;
    let word0 = burst[i << 1];
    let length = burst[(i << 1) + 1] >>> 16;
    for (let left = this.mbufs.count; (word0 & MORE) !== 0 && left > 0; left--) {
      const next = this.#notes.nextWord(word0 & INDEX_MASK);
      word0 = u32[next];
      length += u32[next + 1] >>> 16;
    }
    return length;
  }

  /** How many hold the first segment of frame `i` of `burst` (DPDK: `rte_mbuf_refcnt_read`): a moment's answer. */
  holders(burst: Uint32Array, i: number): number {
    const word0 = burst[i << 1];
    return (word0 & SHARED) === 0 ? 1 : 1 + this.#othersOf(word0 & INDEX_MASK);
  }

  /**
   * Let `more` others hold frame `i` of `burst` too (DPDK: `rte_mbuf_refcnt_update`): its descriptor, which
   * changes, may then be given to so many, and each of them frees it once.
   *
   * @example
   * ```ts
   * import { MappedMemory } from "../../ffi/mapped_memory.ts";
   * import { Frames } from "./frames.ts";
   * import { Mbufs } from "./mbuf.ts";
   * import { MbufNotes } from "./mbuf_notes.ts";
   * import { Mempool } from "./mempool.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 18), { offset: 0, stride: 2368, count: 100 });
   * const pool = Mempool.create(100);
   * const frames = new Frames(pool, mbufs, MbufNotes.create(100));
   * const burst = new Uint32Array(2);
   * pool.allocBulk(burst, 1);
   * frames.hold(burst, 0, 2);
   * console.assert(frames.holders(burst, 0) === 3);
   * for (const _holder of [1, 2, 3]) frames.free(burst, 1);
   * console.assert(pool.available === 100);
   * ```
   */
  hold(burst: Uint32Array, i: number, more = 1): void {
    let words = burst;
    for (let at = i << 1, left = this.mbufs.count; left > 0; left--) {
      const index = words[at] & INDEX_MASK;
      // Shared already: others may be reading this word, and it stays as it is.
      if ((words[at] & SHARED) === 0) words[at] |= SHARED;
      shim.shim_fetch_add(this.#notes.map, this.#notes.holdersWord(index), more);
      if ((words[at] & MORE) === 0) return;
      words = this.#notes.u32;
      at = this.#notes.nextWord(index);
    }
  }

  /**
   * Make another descriptor of frame `i` of `burst`, number `t` of `to` (DPDK: `rte_pktmbuf_clone`). Both are
   * to be freed, in any order and by any thread. See {@linkcode Frames} for what holders may do.
   */
  clone(burst: Uint32Array, i: number, to: Uint32Array, t: number): void {
    this.hold(burst, i);
    to[t << 1] = burst[i << 1];
    to[(t << 1) + 1] = burst[(i << 1) + 1];
  }

  /**
   * Put frame `t` of `tail` behind frame `i` of `burst` (DPDK: `rte_pktmbuf_chain`). The tail, which may be
   * shared, is then part of the frame: its descriptor is not to be freed.
   *
   * @returns false, with nothing changed, if the last segment of the frame is held by others too.
   */
  chain(burst: Uint32Array, i: number, tail: Uint32Array, t: number): boolean {
    this.#findLast(burst, i);
    const word0 = this.#words[this.#at];
    // Who holds a segment holds what follows: nobody shares the others if nobody shares the last.
    if (!this.#isSole(word0)) return false;
    const next = this.#notes.nextWord(word0 & INDEX_MASK);
    this.#notes.u32[next] = tail[t << 1];
    this.#notes.u32[next + 1] = tail[(t << 1) + 1];
    this.#words[this.#at] |= MORE;
    return true;
  }

  /**
   * Grow the last segment of frame `i` of `burst` by `n` bytes behind (DPDK: `rte_pktmbuf_append`).
   *
   * @returns false, with nothing changed, if its tailroom is smaller, or others hold it too.
   *
   * @example
   * ```ts
   * import { MappedMemory } from "../../ffi/mapped_memory.ts";
   * import { Frames } from "./frames.ts";
   * import { dataWord, Mbufs } from "./mbuf.ts";
   * import { MbufNotes } from "./mbuf_notes.ts";
   * import { Mempool } from "./mempool.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 18), { offset: 0, stride: 2368, count: 100 });
   * const pool = Mempool.create(100);
   * const frames = new Frames(pool, mbufs, MbufNotes.create(100));
   * const burst = new Uint32Array(2 * 2);
   * pool.allocBulk(burst, 2);
   * burst[1] = burst[3] = dataWord(128, 100);
   * frames.chain(burst, 0, burst, 1);
   * console.assert(frames.append(burst, 0, 20) && frames.length(burst, 0) === 220);
   * console.assert(frames.trim(burst, 0, 120) && !frames.trim(burst, 0, 1), "the last is empty");
   * ```
   */
  append(burst: Uint32Array, i: number, n: number): boolean {
    this.#findLast(burst, i);
    const word1 = this.#words[this.#at + 1];
    const end = (word1 & 0xffff) + (word1 >>> 16) + n;
    if (end > this.mbufs.room || !this.#isSole(this.#words[this.#at])) return false;
    this.#words[this.#at + 1] = dataWord(word1 & 0xffff, (word1 >>> 16) + n);
    return true;
  }

  /**
   * Cut `n` bytes off the last segment of frame `i` of `burst` (DPDK: `rte_pktmbuf_trim`).
   *
   * @returns false, with nothing changed, if that is shorter, or the segment before it is held by others too.
   */
  trim(burst: Uint32Array, i: number, n: number): boolean {
    this.#findLast(burst, i);
    const word1 = this.#words[this.#at + 1];
    if (n > word1 >>> 16 || !this.#mayChange) return false;
    this.#words[this.#at + 1] = dataWord(word1 & 0xffff, (word1 >>> 16) - n);
    return true;
  }

  /**
   * Copy bytes of frame `i` of `burst` out, over all segments, as many as `into` has room for (DPDK:
   * `rte_pktmbuf_read`).
   *
   * @param offset The first byte of the frame that is wanted.
   * @returns how many bytes there were.
   *
   * @example
   * ```ts
   * import { MappedMemory } from "../../ffi/mapped_memory.ts";
   * import { Frames } from "./frames.ts";
   * import { dataWord, Mbufs } from "./mbuf.ts";
   * import { MbufNotes } from "./mbuf_notes.ts";
   * import { Mempool } from "./mempool.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 18), { offset: 0, stride: 2368, count: 100 });
   * const pool = Mempool.create(100);
   * const frames = new Frames(pool, mbufs, MbufNotes.create(100));
   * const burst = new Uint32Array(2 * 2);
   * pool.allocBulk(burst, 2);
   * for (const i of [0, 1]) {
   *   burst[2 * i + 1] = dataWord(128, 4);
   *   mbufs.u32[mbufs.frameByte(burst[2 * i], burst[2 * i + 1]) / 4] = 0x04030201;
   * }
   * frames.chain(burst, 0, burst, 1);
   * const bytes = new Uint8Array(64);
   * const n = frames.read(burst, 0, bytes, 2);
   * console.assert(bytes.subarray(0, n).join() === "3,4,1,2,3,4");
   * ```
   */
  read(burst: Uint32Array, i: number, into: Uint8Array, offset = 0): number {
    return this.#gather(burst, i, offset, into, 0, into.length);
  }

  /**
   * Copy frame `i` of `burst` into fresh mbufs of this holder's own (DPDK: `rte_pktmbuf_copy`), as number
   * `t` of `to`: with the usual headroom in front, in as few segments as there can be.
   *
   * @param offset The first byte of the frame that is wanted.
   * @param length Bytes that are wanted; fewer are copied if the frame ends before.
   * @returns false, with nothing changed, if the frame has no such byte, there are too few mbufs, or more than
   * 64 would be needed.
   *
   * @example
   * ```ts
   * import { MappedMemory } from "../../ffi/mapped_memory.ts";
   * import { Frames } from "./frames.ts";
   * import { dataWord, Mbufs } from "./mbuf.ts";
   * import { MbufNotes } from "./mbuf_notes.ts";
   * import { Mempool } from "./mempool.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 18), { offset: 0, stride: 2368, count: 100 });
   * const pool = Mempool.create(100);
   * const frames = new Frames(pool, mbufs, MbufNotes.create(100));
   * const burst = new Uint32Array(2 * 2);
   * pool.allocBulk(burst, 1);
   * burst[1] = dataWord(0, 64);
   * console.assert(frames.copy(burst, 0, burst, 1, 14) && frames.length(burst, 1) === 50);
   * frames.free(burst, 2);
   * ```
   */
  copy(
    burst: Uint32Array,
    i: number,
    to: Uint32Array,
    t: number,
    offset = 0,
    length = Infinity,
  ): boolean {
    const there = this.length(burst, i) - offset;
    if (!(offset >= 0 && length >= 0) || there < 0) return false;
    const wanted = Math.min(there, length);
    const capacity = this.mbufs.room - HEADROOM_BYTES;
    const n = Math.max(1, Math.ceil(wanted / capacity));
    this.#flush();
    const batch = this.#batch;
    if (n > BATCH || this.pool.allocBulk(batch, n) !== n) return false;
    for (let k = 0; k < n; k++) {
      const bytes = Math.min(capacity, wanted - k * capacity);
      const byte = this.mbufs.frameByte(batch[k << 1], HEADROOM_BYTES);
      this.#gather(burst, i, offset + k * capacity, this.mbufs.u8, byte, bytes);
      batch[(k << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
    }
    for (let k = n - 2; k >= 0; k--) {
      const next = this.#notes.nextWord(batch[k << 1] & INDEX_MASK);
      this.#notes.u32[next] = batch[(k << 1) + 2];
      this.#notes.u32[next + 1] = batch[(k << 1) + 3];
      batch[k << 1] |= MORE;
    }
    to[t << 1] = batch[0];
    to[(t << 1) + 1] = batch[1];
    return true;
  }

  /**
   * Bring frame `i` of `burst` into one segment that this holder has for itself (DPDK:
   * `rte_pktmbuf_linearize`): in the tailroom of its first if it fits there and nobody else holds that, else in a
   * fresh mbuf. What others hold stays as it is for them.
   *
   * @returns false, with nothing changed, if the frame is too long for one mbuf, or there is none.
   *
   * @example
   * ```ts
   * import { MappedMemory } from "../../ffi/mapped_memory.ts";
   * import { Frames } from "./frames.ts";
   * import { dataWord, Mbufs } from "./mbuf.ts";
   * import { MbufNotes } from "./mbuf_notes.ts";
   * import { Mempool } from "./mempool.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 18), { offset: 0, stride: 2368, count: 100 });
   * const pool = Mempool.create(100);
   * const frames = new Frames(pool, mbufs, MbufNotes.create(100));
   * const burst = new Uint32Array(2 * 2);
   * pool.allocBulk(burst, 2);
   * burst[1] = burst[3] = dataWord(128, 700);
   * frames.chain(burst, 0, burst, 1);
   * console.assert(frames.linearize(burst, 0) && Frames.isPlain(burst, 1));
   * console.assert(burst[1] === dataWord(128, 1400) && pool.available === 99);
   * ```
   */
  linearize(burst: Uint32Array, i: number): boolean {
    const at = i << 1;
    const word0 = burst[at];
    const word1 = burst[at + 1];
    if ((word0 & MORE) === 0 && this.#isSole(word0)) {
      burst[at] &= ~SHARED;
      return true;
    }
    const total = this.length(burst, i);
    const offset = word1 & 0xffff;
    if (this.#isSole(word0) && offset + total <= this.mbufs.room) {
      const length = word1 >>> 16;
      const byte = this.mbufs.frameByte(word0, word1) + length;
      this.#gather(burst, i, length, this.mbufs.u8, byte, total - length);
      const next = this.#notes.nextWord(word0 & INDEX_MASK);
      this.#release(this.#notes.u32[next], this.#notes.u32[next + 1]);
      this.#flush();
      burst[at] = word0 & ~(MORE | SHARED);
      burst[at + 1] = dataWord(offset, total);
      return true;
    }
    if (total > this.mbufs.room - HEADROOM_BYTES || !this.copy(burst, i, burst, i)) return false;
    this.#release(word0, word1);
    this.#flush();
    return true;
  }

  /**
   * Free `count` frames from number `at` of `burst` on, all segments of each (DPDK: `rte_pktmbuf_free_bulk`). An
   * mbuf that others hold too goes back to the mempool when the last of them frees it.
   */
  free(burst: Uint32Array, count: number, at = 0): void {
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      this.#release(burst[i], burst[i + 1]);
    }
    this.#flush();
  }

  /**
   * What is wrong with frame `i` of `burst`; undefined if nothing is (DPDK: `rte_mbuf_check`). For frames
   * that this thread holds.
   *
   * @example
   * ```ts
   * import { MappedMemory } from "../../ffi/mapped_memory.ts";
   * import { Frames } from "./frames.ts";
   * import { dataWord, Mbufs } from "./mbuf.ts";
   * import { MbufNotes } from "./mbuf_notes.ts";
   * import { Mempool } from "./mempool.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 18), { offset: 0, stride: 2368, count: 100 });
   * const frames = new Frames(Mempool.create(100), mbufs, MbufNotes.create(100));
   * const reason = frames.check(new Uint32Array([7, dataWord(2300, 69)]), 0);
   * console.assert(reason === "segment 0, mbuf 7: 69 bytes at 2300 end beyond its 2368");
   * ```
   */
  check(burst: Uint32Array, i: number): string | undefined {
    const { count, room } = this.mbufs;
    let words = burst;
    for (let n = 0, at = i << 1; n < count; n++) {
      const [word0, word1] = [words[at], words[at + 1]];
      const [index, offset, length] = [word0 & INDEX_MASK, word1 & 0xffff, word1 >>> 16];
      const where = `segment ${n}, mbuf ${index}`;
      if (index >= count) return `${where}: there are ${count} mbufs`;
      if (offset + length > room) {
        return `${where}: ${length} bytes at ${offset} end beyond its ${room}`;
      }
      const unknown = (word0 & ~(INDEX_MASK | KNOWN_FLAGS)) >>> DESCRIPTOR.FLAGS_SHIFT;
      if (unknown !== 0) return `${where}: nobody sets the flags 0x${unknown.toString(16)}`;
      const others = this.#othersOf(index);
      if (others > HOLDERS_MAX) return `${where}: it was freed by more than held it`;
      if ((word0 & SHARED) === 0 && others > 0) {
        return `${where}: ${others} others hold it, which its descriptor does not say`;
      }
      if ((word0 & MORE) === 0) return undefined;
      words = this.#notes.u32;
      at = this.#notes.nextWord(index);
    }
    return `mbuf ${burst[i << 1] & INDEX_MASK}: its segments are more than all mbufs, a loop`;
  }

  #othersOf(index: number): number {
    return shim.shim_load_acquire(this.#notes.map, this.#notes.holdersWord(index));
  }

  #isSole(word0: number): boolean {
    return (word0 & SHARED) === 0 || this.#othersOf(word0 & INDEX_MASK) === 0;
  }

  /** Find the descriptor of a frame's last segment. */
  #findLast(burst: Uint32Array, i: number): void {
    this.#words = burst;
    this.#at = i << 1;
    this.#mayChange = true;
    for (let left = this.mbufs.count; left > 0; left--) {
      const word0 = this.#words[this.#at];
      if ((word0 & MORE) === 0) return;
      // The note on a segment belongs to all who hold it.
      this.#mayChange = this.#isSole(word0);
      this.#words = this.#notes.u32;
      this.#at = this.#notes.nextWord(word0 & INDEX_MASK);
    }
    this.#mayChange = false;
  }

  /** Copy up to `count` bytes of a frame from its byte `offset` on to byte `to` of `into`; returns how many. */
  #gather(
    burst: Uint32Array,
    i: number,
    offset: number,
    into: Uint8Array,
    to: number,
    count: number,
  ): number {
    const { u8 } = this.mbufs;
    let [word0, word1] = [burst[i << 1], burst[(i << 1) + 1]];
    let done = 0;
    for (let left = this.mbufs.count; done < count && left > 0; left--) {
      const length = word1 >>> 16;
      if (offset < length) {
        const from = this.mbufs.frameByte(word0, word1) + offset;
        const n = Math.min(length - offset, count - done);
        into.set(u8.subarray(from, from + n), to + done);
        done += n;
        offset = 0;
      } else {
        offset -= length;
      }
      if ((word0 & MORE) === 0) break;
      const next = this.#notes.nextWord(word0 & INDEX_MASK);
      [word0, word1] = [this.#notes.u32[next], this.#notes.u32[next + 1]];
    }
    return done;
  }

  /** Let go of a frame; the mbufs that nobody holds now are batched. */
  #release(word0: number, word1: number): void {
    const { u32 } = this.#notes;
    for (let left = this.mbufs.count; left > 0; left--) {
      const index = word0 & INDEX_MASK;
      // What follows is read before it is another's to change.
      const next = this.#notes.nextWord(index);
      const [next0, next1] = (word0 & MORE) === 0 ? [0, 0] : [u32[next], u32[next + 1]];
      if ((word0 & SHARED) === 0 || this.#isLastHolder(index)) {
        if (this.#batched === BATCH) this.#flush();
        const at = this.#batched++ << 1;
        this.#batch[at] = word0 & ~(MORE | SHARED);
        this.#batch[at + 1] = word1;
      }
      if ((word0 & MORE) === 0) return;
      [word0, word1] = [next0, next1];
    }
  }

  /** Hold mbuf `index` no more; whether nobody does now. */
  #isLastHolder(index: number): boolean {
    // Alone, no other can come: DPDK saves the atomic too (rte_pktmbuf_prefree_seg). Else full ordering: what
    // each holder read, it read before the last one gives the mbuf away.
    if (this.#othersOf(index) === 0) return true;
    const word = this.#notes.holdersWord(index);
    if (shim.shim_fetch_add(this.#notes.map, word, 0xffffffff) !== 0) return false;
    shim.shim_store_release(this.#notes.map, word, 0);
    return true;
  }

  #flush(): void {
    if (this.#batched > 0) this.pool.free(this.#batch, this.#batched);
    this.#batched = 0;
  }
}
