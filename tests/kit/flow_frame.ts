import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, type Mbufs } from "../../app/mempool/mbuf.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** EtherType of the frames: the second one that IEEE 802 reserves for local experiments. */
const FLOW_TYPE = 0x88b6;

/** Shortest frame, and the longest at an MTU of 1500, in bytes, FCS not included. */
export const BYTES_MIN = 60, BYTES_MAX = 1514;

/** 32-bit words at fixed places of a frame. */
const WORD = { TYPE: 3, NUMBER: 4, RUN: 5, STAMP: 6, REST: 7 } as const;

/** The pattern grows by this from word to word: odd, so that no two words of a frame are equal. */
const STEP = 0x9e3779b9;

/** What a frame says of itself. */
export interface FrameTag {
  /** The flow that it belongs to: 16 bits. */
  flow: number;
  /** Its number in that flow. */
  number: number;
  /** When it was sent, in units of the sender's. */
  stamp: number;
}

/** What has happened to the addresses on the way: nothing, or what testpmd's `macswap` does. */
export type Addresses = "kept" | "swapped";

/** `foreign`: a frame of another protocol or another run. */
export type Verdict = "right" | "foreign" | "corrupted";

/**
 * Frames of one run. The length and all bytes of a frame follow from its flow, number, run and
 * stamp: each byte is compared, and a sum of them is not needed.
 *
 * ```text
 *  word 0..2  two locally administered unicast addresses, the rest of them pattern
 *  word 3     EtherType 0x88b6, flow (16 bits)
 *  word 4     number in the flow
 *  word 5     run
 *  word 6     stamp
 *  word 7..   pattern: a hash of flow, number, run and stamp, then STEP more in each word
 * ```
 */
export class FlowFrames {
  readonly #lengths: number;
  readonly #stride: number;

  /**
   * @param run Tells the frames of this run from those of others.
   * @param bytesMax Longest frame.
   */
  constructor(readonly run: number, readonly bytesMax = BYTES_MAX) {
    this.#lengths = bytesMax - BYTES_MIN + 1;
    this.#stride = coprime(Math.round(this.#lengths * 0.618), this.#lengths);
  }

  /** Bytes of frame `number`: each length comes once before one is repeated, in mixed order. */
  bytesOf(number: number): number {
    return BYTES_MIN + (number % this.#lengths * this.#stride) % this.#lengths;
  }

  /** Write a frame into the mbuf of descriptor `i` of `burst`, and its place and length there. */
  write(mbufs: Mbufs, { words }: Burst, i: number, { flow, number, stamp }: FrameTag): void {
    const { u32 } = mbufs;
    const bytes = this.bytesOf(number);
    const word1 = words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
    const at = mbufs.frameByte(words[i << 1], word1) >>> 2;
    const pattern = patternOf(flow, number, this.run, stamp);
    u32[at] = address0(pattern);
    u32[at + 1] = address1(pattern);
    u32[at + 2] = address2(pattern);
    u32[at + WORD.TYPE] = FLOW_TYPE >>> 8 | (FLOW_TYPE & 0xff) << 8 | flow << 16;
    u32[at + WORD.NUMBER] = number;
    u32[at + WORD.RUN] = this.run;
    u32[at + WORD.STAMP] = stamp;
    let value = pattern;
    for (let w = at + WORD.REST, end = at + (bytes + 3 >>> 2); w < end; w++) {
      u32[w] = value;
      value = value + STEP | 0;
    }
  }

  /** Check the `bytes` at `byte` of `mbufs`. If they are right, `tag` is set to what they say. */
  read(
    mbufs: Mbufs,
    byte: number,
    bytes: number,
    tag: FrameTag,
    addresses: Addresses = "kept",
  ): Verdict {
    const { u32 } = mbufs;
    if (!isFlowFrame(mbufs, byte)) return "foreign";
    const at = byte >>> 2;
    if ((byte & 3) !== 0 || bytes < BYTES_MIN) return "corrupted";
    const flow = u32[at + WORD.TYPE] >>> 16, number = u32[at + WORD.NUMBER];
    const run = u32[at + WORD.RUN], stamp = u32[at + WORD.STAMP];
    if (bytes !== this.bytesOf(number)) return "corrupted";
    const pattern = patternOf(flow, number, run, stamp);
    const head = addresses === "kept"
      ? differenceAsWritten(u32, at, pattern)
      : differenceSwapped(u32, at, pattern);
    if ((head | differenceInRest(u32, at, bytes, pattern)) !== 0) return "corrupted";
    if (run !== this.run) return "foreign";
    tag.flow = flow;
    tag.number = number;
    tag.stamp = stamp;
    return "right";
  }
}

/** Whether the frame at `byte` has the EtherType of the frames of any run. */
export function isFlowFrame({ u8 }: Mbufs, byte: number): boolean {
  return (u8[byte + 12] << 8 | u8[byte + 13]) === FLOW_TYPE;
}

/** A hash, by MurmurHash3's finalizer: a change of one argument alone always changes it. */
function patternOf(flow: number, number: number, run: number, stamp: number): number {
  let h = number ^ Math.imul(run, STEP) ^ Math.imul(stamp, 0x85ebca6b) ^
    Math.imul(flow, 0xc2b2ae35);
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return h ^ h >>> 16;
}

function address0(pattern: number): number {
  return pattern & ~0xff | 0x02;
}

function address1(pattern: number): number {
  return pattern + STEP & ~0xff0000 | 0x020000;
}

function address2(pattern: number): number {
  return pattern + 2 * STEP | 0;
}

function differenceAsWritten(u32: Uint32Array, at: number, pattern: number): number {
  return u32[at] ^ address0(pattern) | u32[at + 1] ^ address1(pattern) |
    u32[at + 2] ^ address2(pattern);
}

function differenceSwapped(u32: Uint32Array, at: number, pattern: number): number {
  const a = address0(pattern), b = address1(pattern), c = address2(pattern);
  return u32[at] ^ (b >>> 16 | c << 16) | u32[at + 1] ^ (c >>> 16 | a << 16) |
    u32[at + 2] ^ (a >>> 16 | b << 16);
}

/** The differing bits of all words from WORD.REST on, or-ed. */
function differenceInRest(u32: Uint32Array, at: number, bytes: number, pattern: number): number {
  let difference = 0, value = pattern, w = at + WORD.REST;
  for (const end = at + (bytes >>> 2); w < end; w++) {
    difference |= u32[w] ^ value;
    value = value + STEP | 0;
  }
  const rest = bytes & 3;
  return rest === 0 ? difference : difference | (u32[w] ^ value) << (32 - (rest << 3));
}

/** The first number from `from` on that has no divisor in common with `other`. */
function coprime(from: number, other: number): number {
  const divisor = (a: number, b: number): number => b === 0 ? a : divisor(b, a % b);
  for (let n = Math.max(from, 1);; n++) if (divisor(n, other) === 1) return n;
}
