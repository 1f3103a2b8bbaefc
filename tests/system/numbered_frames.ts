import type { Mbufs } from "../../app/mempool/mbuf.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** Shortest and longest numbered frame, in bytes. */
export const NUMBERED = { MIN_BYTES: 60, MAX_BYTES: 1514 } as const;

/** EtherType of numbered frames: IEEE 802's first one for local experiments. */
export const ETHERTYPE = 0x88b5;

/** 32-bit words at fixed places of a frame. */
const WORD = { TYPE: 3, NUMBER: 4, REST: 5 } as const;

/** What the pattern grows by from word to word: odd, so that no two words of a frame are alike. */
const STEP = 0x9e3779b9;

/** Frame numbers that are remembered as missing, at most. */
const MISSING_MAX = 65536;

/** What a {@linkcode FrameChecker} counts, as indexes into its findings. */
export const FOUND = {
  /** All frames below this number have been seen, or found missing or wrong. */
  NEXT: 0,
  LOST: 1,
  DUPLICATED: 2,
  REORDERED: 3,
  WRONG_LENGTH: 4,
  WRONG_BYTES: 5,
  COUNT: 6,
} as const;

/** What has happened to the frames' addresses on the way: nothing, or testpmd's `macswap`. */
export type Addresses = "kept" | "swapped";

/**
 * Numbered frames: the length and every byte follow from number and seed.
 *
 * ```text
 *  word 0..2  two locally administered unicast addresses, the rest of them pattern
 *  word 3     EtherType 0x88b5, two bytes of pattern
 *  word 4     the number
 *  word 5..   pattern
 * ```
 */
export class NumberedFrames {
  constructor(readonly seed: number) {}

  /** Bytes of frame `number`. */
  bytesOf(number: number): number {
    return bytesOf(patternOf(number, this.seed));
  }

  /** Write frame `number` into the mbuf of descriptor `i` of `burst`, and its place and length there. */
  write(mbufs: Mbufs, burst: Burst, i: number, number: number): void {
    const pattern = patternOf(number, this.seed);
    const bytes = bytesOf(pattern);
    const word1 = burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
    writeWords(
      mbufs.u32,
      mbufs.frameByte(burst.words[i << 1], word1) >>> 2,
      bytes,
      number,
      pattern,
    );
  }

  /** Whether the `length` bytes at `byte` are those of frame `number`, every one of them. */
  matches(
    mbufs: Mbufs,
    byte: number,
    length: number,
    number: number,
    addresses: Addresses,
  ): boolean {
    const pattern = patternOf(number, this.seed);
    if (length !== bytesOf(pattern) || (byte & 3) !== 0) return false;
    const word = byte >>> 2;
    const head = addresses === "kept"
      ? differenceAsWritten(mbufs.u32, word, pattern)
      : differenceSwapped(mbufs.u32, word, pattern);
    return (head | differenceInRest(mbufs.u32, word, length, number, pattern)) === 0;
  }
}

/**
 * Looks at numbered frames as they arrive, and finds what is lost, duplicated, reordered or changed.
 *
 * @param findings By {@linkcode FOUND}; may be memory that another thread reads.
 */
export class FrameChecker {
  readonly #missing = new Set<number>();

  constructor(
    private readonly frames: NumberedFrames,
    private readonly mbufs: Mbufs,
    private readonly addresses: Addresses,
    readonly findings: Uint32Array = new Uint32Array(FOUND.COUNT),
  ) {}

  /** Check `count` frames from the start of `burst`, where `next` is the number to come. Returns the new one. */
  check(burst: Burst, count: number, next: number): number {
    for (let i = 0, end = count << 1; i < end; i += 2) {
      const byte = this.mbufs.frameByte(burst.words[i], burst.words[i + 1]);
      const length = burst.words[i + 1] >>> 16;
      next = this.frames.matches(this.mbufs, byte, length, next, this.addresses)
        ? (next + 1) >>> 0
        : this.#judge(byte, length, next);
    }
    return next;
  }

  /** Something is wrong: find out what, and what number is to come now. */
  #judge(byte: number, length: number, next: number): number {
    const number = this.mbufs.u32[(byte >>> 2) + WORD.NUMBER];
    if (!this.frames.matches(this.mbufs, byte, length, number, this.addresses)) {
      const isLength = length === this.frames.bytesOf(next);
      this.findings[isLength ? FOUND.WRONG_BYTES : FOUND.WRONG_LENGTH]++;
      return (next + 1) >>> 0;
    }
    const ahead = (number - next) | 0;
    if (ahead >= 0) {
      this.findings[FOUND.LOST] += ahead;
      const from = this.#missing.size < MISSING_MAX ? next : number;
      for (let n = Math.max(from, number - MISSING_MAX); n < number; n++) this.#missing.add(n);
      return (number + 1) >>> 0;
    }
    if (this.#missing.delete(number)) {
      this.findings[FOUND.LOST]--;
      this.findings[FOUND.REORDERED]++;
    } else {
      this.findings[FOUND.DUPLICATED]++;
    }
    return next;
  }
}

/** What is wrong, in words; empty if nothing is. */
export function faultsOf(findings: ArrayLike<number>): string {
  const names = ["lost", "duplicated", "reordered", "of wrong length", "with wrong bytes"];
  return names
    .map((name, i) => ({ name, n: findings[FOUND.LOST + i] }))
    .filter(({ n }) => n > 0)
    .map(({ name, n }) => `${n} ${name}`)
    .join(", ");
}

/** The start of a frame's pattern: a hash (MurmurHash3's finalizer) of number and seed. */
function patternOf(number: number, seed: number): number {
  let h = number ^ Math.imul(seed, STEP);
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return h ^ h >>> 16;
}

function bytesOf(pattern: number): number {
  const lengths = NUMBERED.MAX_BYTES - NUMBERED.MIN_BYTES + 1;
  return NUMBERED.MIN_BYTES + (Math.imul(pattern >>> 16, lengths) >>> 16);
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

function typeWord(pattern: number): number {
  return pattern + 3 * STEP & ~0xffff | ETHERTYPE >>> 8 | (ETHERTYPE & 0xff) << 8;
}

/** Up to three bytes behind the frame are written too. */
function writeWords(u32: Uint32Array, at: number, bytes: number, number: number, pattern: number) {
  u32[at] = address0(pattern);
  u32[at + 1] = address1(pattern);
  u32[at + 2] = address2(pattern);
  u32[at + WORD.TYPE] = typeWord(pattern);
  u32[at + WORD.NUMBER] = number;
  let value = pattern + WORD.REST * STEP | 0;
  for (let i = at + WORD.REST, end = at + (bytes + 3 >>> 2); i < end; i++) {
    u32[i] = value;
    value = value + STEP | 0;
  }
}

function differenceAsWritten(u32: Uint32Array, at: number, pattern: number): number {
  return u32[at] ^ address0(pattern) | u32[at + 1] ^ address1(pattern) |
    u32[at + 2] ^ address2(pattern);
}

function differenceSwapped(u32: Uint32Array, at: number, pattern: number): number {
  const a = address0(pattern);
  const b = address1(pattern);
  const c = address2(pattern);
  return u32[at] ^ (b >>> 16 | c << 16) | u32[at + 1] ^ (c >>> 16 | a << 16) |
    u32[at + 2] ^ (a >>> 16 | b << 16);
}

/** The differing bits of all words from the EtherType on, or-ed. */
function differenceInRest(
  u32: Uint32Array,
  at: number,
  bytes: number,
  number: number,
  pattern: number,
): number {
  let difference = u32[at + WORD.TYPE] ^ typeWord(pattern) | u32[at + WORD.NUMBER] ^ number;
  let value = pattern + WORD.REST * STEP | 0;
  let i = at + WORD.REST;
  for (const end = at + (bytes >>> 2); i < end; i++) {
    difference |= u32[i] ^ value;
    value = value + STEP | 0;
  }
  const rest = bytes & 3;
  return rest === 0 ? difference : difference | (u32[i] ^ value) << (32 - (rest << 3));
}
