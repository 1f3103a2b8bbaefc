import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, type Mbufs } from "../../app/mempool/mbuf.ts";
import { crc32 } from "./crc32.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** EtherType of the soak's frames: IEEE 802's second one for local experiments. */
export const SOAK_TYPE = 0x88b6;

/** Shortest frame in bytes, FCS not included. */
export const BYTES_MIN = 60;

/** Words at fixed places of a frame. */
const WORD = { TYPE: 3, NUMBER: 4, RUN: 5, STAMP: 6, CRC: 7, REST: 8 } as const;

/** What the pattern grows by from word to word: odd, so that no two words of a frame are alike. */
const STEP = 0x9e3779b9;

/** What a frame tells of itself, once its sum has been found right. */
export interface FrameTag {
  /** The flow that it belongs to. */
  flow: number;
  /** Its number in that flow. */
  number: number;
  /** When it was sent, in the sender's units. */
  stamp: number;
}

/** What a look at a frame comes to. */
export type Verdict = "right" | "foreign" | "corrupted";

/**
 * Frames of one run: numbered, stamped, with a CRC over all of it.
 *
 * ```text
 *  word 0..2   locally administered addresses: 02:50:flow:... to 02:50:...
 *  word 3      EtherType 0x88b6, flow (16 bits)
 *  word 4      number in the flow
 *  word 5      the run
 *  word 6      when it was sent
 *  word 7      CRC-32 of all other bytes
 *  word 8..    pattern, by number and flow
 * ```
 */
export class SoakFrames {
  readonly #lengths: number;
  readonly #stride: number;

  /**
   * @param run Tells the frames of this run from those of others.
   * @param bytesMax Longest frame.
   */
  constructor(readonly run: number, readonly bytesMax: number) {
    this.#lengths = bytesMax - BYTES_MIN + 1;
    this.#stride = coprime(Math.round(this.#lengths * 0.618), this.#lengths);
  }

  /** Bytes of frame `number`: all lengths come in turn, long and short ones mixed. */
  bytesOf(number: number): number {
    return BYTES_MIN + (number % this.#lengths * this.#stride) % this.#lengths;
  }

  /** Write a frame into the mbuf of descriptor `i` of `burst`, and its place and length there. */
  write(mbufs: Mbufs, burst: Burst, i: number, tag: FrameTag): void {
    const { u32 } = mbufs;
    const bytes = this.bytesOf(tag.number);
    const word1 = burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
    const at = mbufs.frameByte(burst.words[i << 1], word1) >>> 2;
    const type = SOAK_TYPE >>> 8 | (SOAK_TYPE & 0xff) << 8;
    u32[at] = 0x5002 | tag.flow << 16;
    u32[at + 1] = 0x50020000;
    u32[at + 2] = tag.number;
    u32[at + WORD.TYPE] = type | tag.flow << 16;
    u32[at + WORD.NUMBER] = tag.number;
    u32[at + WORD.RUN] = this.run;
    u32[at + WORD.STAMP] = tag.stamp;
    let value = Math.imul(tag.number + 1, STEP) ^ tag.flow;
    for (let w = at + WORD.REST, end = at + (bytes + 3 >>> 2); w < end; w++) {
      u32[w] = value;
      value = value + STEP | 0;
    }
    u32[at + WORD.CRC] = crc32(u32, at, bytes, at + WORD.CRC);
  }

  /** Look at the `bytes` at `byte` of `mbufs`. What they tell of themselves is in `tag` if they are right. */
  read(mbufs: Mbufs, byte: number, bytes: number, tag: FrameTag): Verdict {
    const { u32, u8 } = mbufs;
    if ((u8[byte + 12] << 8 | u8[byte + 13]) !== SOAK_TYPE) return "foreign";
    const at = byte >>> 2;
    if ((byte & 3) !== 0 || bytes < BYTES_MIN) return "corrupted";
    if (crc32(u32, at, bytes, at + WORD.CRC) !== u32[at + WORD.CRC]) return "corrupted";
    if (u32[at + WORD.RUN] !== this.run) return "foreign";
    tag.flow = u32[at + WORD.TYPE] >>> 16;
    tag.number = u32[at + WORD.NUMBER];
    tag.stamp = u32[at + WORD.STAMP];
    return bytes === this.bytesOf(tag.number) ? "right" : "corrupted";
  }
}

/** The first number from `from` on that has no divisor in common with `other`. */
function coprime(from: number, other: number): number {
  const divisor = (a: number, b: number): number => b === 0 ? a : divisor(b, a % b);
  for (let n = Math.max(from, 1);; n++) if (divisor(n, other) === 1) return n;
}
