import { DESCRIPTOR } from "../../memory/layout.ts";
import { dataWord, type Mbufs } from "../../mempool/mbuf.ts";
import { moveHeader } from "../../port/offload_header.ts";
import type { FrameSource } from "./frame_source.ts";
import { type Frames, MARK } from "./frames.ts";
import { refuseFrame, refuseOffset, refusePort } from "./refuse.ts";

/**
 * The frames that a function works on: those of one burst, by index from 0 to {@linkcode count} -
 * 1.
 *
 * Numbers are read and written as they stand on the wire: big-endian, at a byte offset from the
 * frame's start. What is outside the frame cannot be read or written: that is a `RangeError`.
 *
 * A frame is dropped, or sent to another port than its lane's, by a mark. The loop looks at the
 * marks when the function has returned, so that no mbuf can be given back twice.
 *
 * @example
 * ```ts
 * import type { Burst } from "../function.ts";
 *
 * // Drop ARP, which has EtherType 0x0806.
 * export default function (burst: Burst) {
 *   for (let i = 0; i < burst.count; i++) if (burst.u16(i, 12) === 0x0806) burst.drop(i);
 * }
 * ```
 */
export class FrameBurst {
  /** Frames in the burst. Setting it is an error: a frame is dropped by {@linkcode drop}. */
  readonly count: number = 0;
  /** The number of the port that the frames were received by. */
  port = 0;
  /** The number of the port that they are sent by unless they are sent elsewhere. */
  to = 0;

  readonly #frames: Frames;
  readonly #words: Uint32Array;
  readonly #outputs: readonly (object | undefined)[];
  readonly #source: FrameSource;
  readonly #mbufs: Mbufs;
  readonly #u8: Uint8Array;
  readonly #offset: number;
  readonly #stride: number;

  /**
   * What functions see of the frames of a lane.
   *
   * @param outputs By port number something where frames can be sent, nothing where they cannot.
   */
  constructor(
    frames: Frames,
    mbufs: Mbufs,
    outputs: readonly (object | undefined)[],
    source: FrameSource,
  ) {
    this.#frames = frames;
    this.#words = frames.words;
    this.#outputs = outputs;
    this.#source = source;
    this.#mbufs = mbufs;
    this.#u8 = mbufs.u8;
    this.#offset = mbufs.offset;
    this.#stride = mbufs.stride;
  }

  /**
   * For functions that have to be fast: two words a frame, its descriptor. Word 0 has the mbuf
   * index in its lower 24 bits, word 1 the data offset (16 bits) and, above it, the length (16).
   * They may be changed: frames may be put into another order, but each is sent once.
   */
  get words(): Uint32Array {
    return this.#frames.showWords();
  }

  /** Most frames that the burst has room for. */
  get capacity(): number {
    return this.#frames.capacity;
  }

  /** @ignore The lane has `count` frames now. */
  show(count: number): void {
    (this as { count: number }).count = count;
  }

  /** Bytes of frame `i`. */
  length(i: number): number {
    return this.#words[(i << 1) + 1] >>> 16;
  }

  /**
   * Whether frame `i` is a super-frame: see `FunctionModule.offloads`. Its length is that of many
   * frames, and its TCP or UDP checksum is of the pseudo-header alone.
   */
  isSuperFrame(i: number): boolean {
    return this.#frames.isSuper(i);
  }

  /** The byte at offset `at` of frame `i`. */
  u8(i: number, at: number): number {
    return this.#u8[this.at(i, at, 1)];
  }

  /** The 16-bit number at offset `at` of frame `i`. */
  u16(i: number, at: number): number {
    const byte = this.at(i, at, 2);
    return this.#u8[byte] << 8 | this.#u8[byte + 1];
  }

  /** The 32-bit number at offset `at` of frame `i`, 0 to 2^32 - 1. */
  u32(i: number, at: number): number {
    const byte = this.at(i, at, 4);
    const u8 = this.#u8;
    return (u8[byte] << 24 | u8[byte + 1] << 16 | u8[byte + 2] << 8 | u8[byte + 3]) >>> 0;
  }

  /** Set the byte at offset `at` of frame `i`. */
  setU8(i: number, at: number, value: number): void {
    this.#u8[this.at(i, at, 1)] = value;
  }

  /** Set the 16-bit number at offset `at` of frame `i`. */
  setU16(i: number, at: number, value: number): void {
    const byte = this.at(i, at, 2);
    this.#u8[byte] = value >>> 8;
    this.#u8[byte + 1] = value;
  }

  /** Set the 32-bit number at offset `at` of frame `i`. */
  setU32(i: number, at: number, value: number): void {
    const byte = this.at(i, at, 4);
    const u8 = this.#u8;
    u8[byte] = value >>> 24;
    u8[byte + 1] = value >>> 16;
    u8[byte + 2] = value >>> 8;
    u8[byte + 3] = value;
  }

  /** The bytes of frame `i`, as a view that is made anew at each call: not for each frame. */
  bytes(i: number): Uint8Array {
    const start = this.start(i);
    return this.#u8.subarray(start, start + this.length(i));
  }

  /** Bytes that frame `i` can grow by in front. */
  headroom(i: number): number {
    return this.#words[(i << 1) + 1] & 0xffff;
  }

  /** Bytes that frame `i` can grow by at its end. */
  tailroom(i: number): number {
    return this.#mbufs.roomOf(this.#words[i << 1]) - this.headroom(i) - this.length(i);
  }

  /** Let frame `i` grow by `n` bytes in front; false, with nothing changed, if there is no room. */
  prepend(i: number, n: number): boolean {
    const headroom = this.headroom(i);
    return n >= 0 && n <= headroom && this.setData(i, headroom - n, this.length(i) + n);
  }

  /**
   * Let frame `i` grow by `n` bytes at its end; false, with nothing changed, if there is no room.
   */
  append(i: number, n: number): boolean {
    return n >= 0 && n <= this.tailroom(i) &&
      this.setData(i, this.headroom(i), this.length(i) + n);
  }

  /** Cut `n` bytes off the front of frame `i`; false, with nothing changed, if it has less. */
  adjust(i: number, n: number): boolean {
    const length = this.length(i);
    return n >= 0 && n <= length && this.setData(i, this.headroom(i) + n, length - n);
  }

  /** Cut `n` bytes off the end of frame `i`; false, with nothing changed, if it has less. */
  trim(i: number, n: number): boolean {
    const length = this.length(i);
    return n >= 0 && n <= length && this.setData(i, this.headroom(i), length - n);
  }

  /**
   * Drop frame `i`: it is freed and counted once the function has returned.
   *
   * @throws {RangeError} if there is no such frame.
   */
  drop(i: number): void {
    if (!(i < this.count && i >= 0)) refuseFrame(this, i);
    this.#frames.mark(i, MARK.DROP);
  }

  /** Whether frame `i` is marked to be dropped. */
  isDropped(i: number): boolean {
    return this.#frames.marks[i] === MARK.DROP;
  }

  /**
   * Send frame `i` by port number `port`, not by the port that is paired with the one that it came
   * by.
   *
   * @throws {RangeError} if there is no such port, or no such frame.
   */
  sendTo(i: number, port: number): void {
    if (!(i < this.count && i >= 0)) refuseFrame(this, i);
    if (this.#outputs[port] === undefined) refusePort(port, this.#outputs);
    this.#frames.mark(i, port + 1);
  }

  /**
   * Send a copy of frame `i` by port number `port`, too: the copy is one more frame of this burst.
   * The file says `export const originates = true`, so that the host lends mbufs for that.
   *
   * @returns false, with nothing done, if no mbuf is there, or no room in the burst.
   * @throws {RangeError} if there is no such port.
   */
  copyTo(i: number, port: number): boolean {
    if (!(i < this.count && i >= 0)) refuseFrame(this, i);
    const copy = this.add(port);
    if (copy < 0) return false;
    if (this.#source.copyFrame(this.#frames.burst, i, copy)) return true;
    this.drop(copy);
    return false;
  }

  /**
   * Make a frame to be sent by port number `port`: empty, to be filled by {@linkcode append} and
   * the setters. The file says `export const originates = true`, so that the host lends mbufs for
   * that.
   *
   * @returns its index, or -1 if no mbuf is there, or no room in the burst.
   * @throws {RangeError} if there is no such port.
   */
  add(port: number): number {
    const frames = this.#frames;
    const i = frames.count;
    if (this.#outputs[port] === undefined) refusePort(port, this.#outputs);
    if (i === frames.capacity || !this.#source.allocTo(frames.burst, i)) return -1;
    frames.append(port + 1);
    this.show(frames.count);
    return i;
  }

  /**
   * Where frame `i` starts in {@linkcode memory}, in bytes.
   *
   * @ignore For functions of this package that write whole words.
   */
  start(i: number): number {
    const index = this.#words[i << 1] & DESCRIPTOR.INDEX_MASK;
    return this.#offset + index * this.#stride + (this.#words[(i << 1) + 1] & 0xffff);
  }

  /** @ignore As {@linkcode words}, for functions of this package that change none of them. */
  get descriptors(): Uint32Array {
    return this.#words;
  }

  /** @ignore The region's mbufs, for functions of this package that write whole words. */
  get memory(): Mbufs {
    return this.#mbufs;
  }

  // Not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /**
   * Where offset `at` of frame `i` is, once it is sure that the frame has `bytes` from there on.
   */
  protected at(i: number, at: number, bytes: number): number {
    const word1 = this.#words[(i << 1) + 1];
    if (at < 0 || at + bytes > word1 >>> 16) refuseOffset(this, i, at, bytes);
    const index = this.#words[i << 1] & DESCRIPTOR.INDEX_MASK;
    return this.#offset + index * this.#stride + (word1 & 0xffff) + at;
  }

  /** Set where the data of frame `i` begins in its mbuf, and its length. */
  protected setData(i: number, offset: number, length: number): boolean {
    if (!(i < this.count && i >= 0)) refuseFrame(this, i);
    if (this.isSuperFrame(i)) {
      moveHeader(this.#mbufs, this.#words[i << 1], this.headroom(i) - offset);
    }
    this.#frames.resize(i, dataWord(offset, length));
    return true;
  }
}
