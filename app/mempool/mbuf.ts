import { check } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  cellsOfLong,
  DESCRIPTOR,
  DESCRIPTOR_FLAG,
  HEADER,
  HEADROOM_BYTES,
  ZONE_KIND,
} from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import type { Burst } from "../ring/burst.ts";

/** Word 1 of the descriptor of an empty mbuf: data at the headroom's end, no bytes. */
export const EMPTY_DATA: number = HEADROOM_BYTES;

/**
 * Word 1 of a descriptor.
 *
 * @example
 * ```ts
 * import { Burst, dataWord } from "../api.ts";
 *
 * const { words } = Burst.of(32);
 * words.set([7, dataWord(128, 64)]); // the first descriptor: mbuf 7, 64 bytes from byte 128 on
 * console.assert((words[1] & 0xffff) === 128 && words[1] >>> 16 === 64);
 * ```
 */
export function dataWord(offset: number, length: number): number {
  return (offset | length << 16) >>> 0;
}

/** Where the mbufs of a region lie. */
export interface MbufGeometry {
  /** Bytes from the region's start to mbuf 0. */
  readonly offset: number;
  /** Bytes from one mbuf to the next; a multiple of 64. */
  readonly stride: number;
  /** How many there are, long ones not counted. */
  readonly count: number;
  /** How many long ones there are behind those; none by default. */
  readonly long?: number;
  /**
   * Bytes at each mbuf's end that no frame may use, as in a mempool for debugging. None by default.
   */
  readonly guard?: number;
}

/** Cells of all mbufs: one for each plain mbuf, several for each long one. */
export function cellsIn({ stride, count, long = 0 }: MbufGeometry): number {
  return count + long * cellsOfLong(stride);
}

/**
 * Where the mbufs of a region lie, as its directory and header say.
 *
 * @throws {CulvertError} if there are none.
 */
export function mbufsIn(region: Region): MbufGeometry {
  const { offset, size, parameter: stride } = region.zone("mbufs", ZONE_KIND.MBUFS);
  return { offset, stride, ...countIn(size, stride, region.memory.load(HEADER.LONG_MBUFS)) };
}

/**
 * How many mbufs there are in a memzone of `size` bytes: plain ones, and long ones.
 *
 * @param told How many long ones, as the region's header says; if they do not fit, there are none.
 */
export function countIn(
  size: number,
  stride: number,
  told: number,
): { count: number; long: number } {
  const cells = Math.floor(size / stride);
  const long = told * cellsOfLong(stride) < cells ? told : 0;
  return { count: cells - long * cellsOfLong(stride), long };
}

/** Bytes of a long mbuf, its headroom included. */
export function longBytes(stride: number): number {
  return cellsOfLong(stride) * stride;
}

/** Memory that mbufs lie in: a region's, or a program's own if the shim need not know the mbufs. */
export type MbufMemory = Pick<MappedMemory, "u32" | "u8" | "map" | "bytes">;

/**
 * The mbufs of a region: fixed cells of `stride` bytes, addressed by index.
 *
 * @example
 * ```ts
 * import { dataWord, MappedMemory, Mbufs } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20);
 * const mbufs = new Mbufs(memory, { offset: 4096, stride: 2368, count: 100 });
 * const byte = mbufs.frameByte(7, dataWord(128, 64)); // mbuf 7: 64 bytes from byte 128 on
 * console.assert(byte === 4096 + 7 * 2368 + 128);
 * mbufs.u8[byte] = 0xff; // the first byte of the frame
 * ```
 */
export class Mbufs {
  /** The region's memory as words: what a loop over headers reads and writes. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** The same as 16-bit words. */
  readonly u16: Uint16Array<SharedArrayBuffer>;
  /** The same as bytes. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** The shim's number for the region's memory. */
  readonly map: number;
  /** Bytes from the region's start to mbuf 0. */
  readonly offset: number;
  /** Bytes from one mbuf to the next. */
  readonly stride: number;
  /** Bytes of an mbuf that a frame may use, its headroom included. */
  readonly room: number;
  /** How many there are, long ones not counted: long ones have the indexes from here on. */
  readonly count: number;
  /** How many long ones there are behind those. */
  readonly long: number;
  /** Bytes of a long mbuf, its headroom included. */
  readonly longRoom: number;
  /** Whether the shim knows them: ports can then send and receive them. */
  readonly isForPorts: boolean;

  /**
   * Use the mbufs that lie in `memory` as `geometry` says.
   *
   * @param isForPorts Whether to tell the shim, which knows one set of mbufs for each mapped
   * memory: the last that it was told.
   * @throws {ShimError} if they do not fit.
   */
  constructor(memory: MbufMemory, geometry: MbufGeometry, isForPorts = true) {
    this.u32 = memory.u32;
    this.u16 = new Uint16Array(memory.u32.buffer, memory.u32.byteOffset, memory.bytes / 2);
    this.u8 = memory.u8;
    this.map = memory.map;
    this.offset = geometry.offset;
    this.stride = geometry.stride;
    this.room = geometry.stride - (geometry.guard ?? 0);
    this.count = geometry.count;
    this.long = geometry.long ?? 0;
    this.longRoom = longBytes(this.stride);
    this.isForPorts = isForPorts;
    if (!isForPorts) return;
    check(
      shim.shim_map_cells(memory.map, BigInt(this.offset), this.stride, this.count),
      `use ${this.count} mbufs of ${this.stride} bytes`,
    );
    if (this.long === 0) return;
    check(
      shim.shim_map_long(memory.map, cellsOfLong(this.stride), this.long),
      `use ${this.long} long mbufs behind ${this.count} of ${this.stride} bytes`,
    );
  }

  /** Where the frame of a descriptor starts, in bytes from the region's start. */
  frameByte(word0: number, word1: number): number {
    return this.offset + (word0 & DESCRIPTOR.INDEX_MASK) * this.stride + (word1 & 0xffff);
  }

  /** Bytes of the mbuf of a descriptor that a frame may use, its headroom included. */
  roomOf(word0: number): number {
    return (word0 & DESCRIPTOR.INDEX_MASK) < this.count ? this.room : this.longRoom;
  }

  /**
   * Fetch the first cache line of each frame of a burst, to be written. One shim call, or none.
   */
  prefetch(burst: Burst, count: number, at = 0): void {
    if (this.isForPorts) shim.shim_prefetch(this.map, burst.map, burst.word + 2 * at, count);
  }
}

/**
 * A view of one frame at a time, to be moved over a burst: nothing is allocated per frame.
 *
 * @example
 * ```ts
 * import { Burst, dataWord, MappedMemory, Mbufs, MbufView } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20);
 * const view = new MbufView(new Mbufs(memory, { offset: 0, stride: 2368, count: 100 }));
 * const burst = Burst.of(32);
 * burst.words.set([3, dataWord(128, 64)]);
 * view.moveTo(burst, 0);
 * console.assert(view.prepend(4) && view.length === 68 && view.headroom === 124);
 * ```
 */
export class MbufView {
  #words: Uint32Array = new Uint32Array(2);
  #at = 0;

  /**
   * No frame yet: {@linkcode moveTo} comes first.
   *
   * @param mbufs The mbufs whose indexes are in the descriptors.
   */
  constructor(readonly mbufs: Mbufs) {}

  /** Look at the frame of descriptor number `i` of `burst`. Changes go to that descriptor. */
  moveTo(burst: Burst, i: number): this {
    this.#words = burst.words;
    this.#at = i << 1;
    return this;
  }

  /** The mbuf index. */
  get index(): number {
    return this.#words[this.#at] & DESCRIPTOR.INDEX_MASK;
  }

  /** Whether the frame goes on in other mbufs: all else here is about its first segment alone. */
  get hasMore(): boolean {
    return (this.#words[this.#at] & DESCRIPTOR_FLAG.MORE) !== 0;
  }

  /** Bytes of the frame, in this mbuf. */
  get length(): number {
    return this.#words[this.#at + 1] >>> 16;
  }

  /** Bytes free in front of the frame. */
  get headroom(): number {
    return this.#words[this.#at + 1] & 0xffff;
  }

  /** Bytes free behind the frame. */
  get tailroom(): number {
    return this.mbufs.room - this.headroom - this.length;
  }

  /** Where the frame starts, in bytes from the region's start. */
  get byte(): number {
    return this.mbufs.frameByte(this.#words[this.#at], this.#words[this.#at + 1]);
  }

  /** The frame's bytes, as a view that is made anew at each call: not for the hot path. */
  bytes(): Uint8Array<SharedArrayBuffer> {
    return this.mbufs.u8.subarray(this.byte, this.byte + this.length);
  }

  /** Grow by `n` bytes in front; false, with nothing changed, if the headroom is smaller. */
  prepend(n: number): boolean {
    return n <= this.headroom && this.#set(this.headroom - n, this.length + n);
  }

  /**
   * Grow by `n` bytes behind; false, with nothing changed, if the tailroom is smaller, or other
   * segments follow: `Frames.append()` goes to the last.
   */
  append(n: number): boolean {
    return !this.hasMore && n <= this.tailroom && this.#set(this.headroom, this.length + n);
  }

  /** Cut `n` bytes off the front; false, with nothing changed, if the frame is shorter. */
  adjust(n: number): boolean {
    return n <= this.length && this.#set(this.headroom + n, this.length - n);
  }

  /**
   * Cut `n` bytes off the end; false, with nothing changed, if the frame is shorter, or other
   * segments follow.
   */
  trim(n: number): boolean {
    return !this.hasMore && n <= this.length && this.#set(this.headroom, this.length - n);
  }

  #set(offset: number, length: number): boolean {
    this.#words[this.#at + 1] = dataWord(offset, length);
    return true;
  }
}
