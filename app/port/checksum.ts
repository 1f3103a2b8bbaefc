/**
 * The Internet checksum (RFC 1071): a ones'-complement sum of 16-bit words.
 *
 * Sums are taken over little-endian words though the protocols are big-endian: the sum of swapped
 * words is the swapped sum (RFC 1071, 2 B). {@linkcode checksumOf} swaps it back; a number that is
 * added by itself, a length say, must be swapped before.
 *
 * A sum is below 2^32 as long as no more than 64 KiB went into it; {@linkcode fold} makes it 16
 * bits. A byte at an even address is the low one of its word, so the sums of a frame's pieces may
 * be added wherever it was cut.
 *
 * @module
 */

/** Memory to take sums over: views of one buffer, in bytes and words. `Mbufs` is one. */
export interface Words {
  /** The memory as bytes. */
  readonly u8: Uint8Array;
  /** The same as 32-bit words. */
  readonly u32: Uint32Array;
}

/** Bytes as {@linkcode Words}: they start at a multiple of 4 in their buffer. */
export function wordsOf(u8: Uint8Array): Words {
  return { u8, u32: new Uint32Array(u8.buffer, u8.byteOffset, u8.length >>> 2) };
}

/** The big-endian 16-bit number at byte `at`. */
export function get16(bytes: Uint8Array, at: number): number {
  return bytes[at] << 8 | bytes[at + 1];
}

/** Write `value` at byte `at`, as a big-endian 16-bit number. */
export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** A 16-bit number with its two bytes swapped. */
export function swap16(word: number): number {
  return (word & 0xff) << 8 | word >>> 8 & 0xff;
}

/** A sum in 16 bits, the carries added in again. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The checksum, a big-endian number, that makes a sum come out as 0xffff. */
export function checksumOf(sum: number): number {
  return swap16(~fold(sum));
}

/** The unfolded sum of `memory` from byte `start` to before byte `end`: 64 KiB at most. */
export function sum(memory: Words, start: number, end: number): number {
  let total = 0;
  for (; (start & 3) !== 0 && start < end; start++) total += placed(memory.u8[start], start);
  const words = (end - start) >>> 2;
  total += sumWords(memory.u32, start >>> 2, words);
  for (start += words << 2; start < end; start++) total += placed(memory.u8[start], start);
  return total;
}

/**
 * Copy `count` bytes, 64 KiB at most, from byte `start` of `source` to byte `at` of `target`,
 * however these are aligned. The two must not overlap.
 *
 * @returns the unfolded sum of what was copied, as {@linkcode sum} over `target`.
 */
export function copyAndSum(
  target: Words,
  at: number,
  source: Words,
  start: number,
  count: number,
): number {
  let total = 0;
  for (; (at & 3) !== 0 && count > 0; count--) {
    total += placed(target.u8[at] = source.u8[start++], at++);
  }
  const words = count >>> 2;
  const shift = (start & 3) << 3;
  total += shift === 0
    ? copyWords(target.u32, at >>> 2, source.u32, start >>> 2, words)
    : copyShifted(target.u32, at >>> 2, source.u32, start >>> 2, words, shift);
  at += words << 2;
  start += words << 2;
  for (count &= 3; count > 0; count--) {
    total += placed(target.u8[at] = source.u8[start++], at++);
  }
  return total;
}

/**
 * Finish a checksum that the sender left to its NIC, as Linux's `skb_checksum_help()` does: its
 * field holds the pseudo-header's sum; sum all from `csumStart` on and put the complement there, or
 * 0xffff for 0.
 *
 * @param frameByte Where the frame starts in `memory`, in bytes.
 * @param length Bytes of the frame, 64 KiB at most.
 * @param csumStart Where the sum starts, in bytes from the frame's start.
 * @param csumOffset Where the checksum is, in bytes from `csumStart`.
 * @returns false, with nothing written, if that is outside the frame.
 */
export function completeChecksum(
  memory: Words,
  frameByte: number,
  length: number,
  csumStart: number,
  csumOffset: number,
): boolean {
  if (csumStart + csumOffset + 2 > length) return false;
  const start = frameByte + csumStart;
  const checksum = checksumOf(sum(memory, start, frameByte + length));
  // Words that begin at odd addresses: all of them, and so their sum, are the other way round.
  put16(memory.u8, start + csumOffset, ((start & 1) === 0 ? checksum : swap16(checksum)) || 0xffff);
  return true;
}

/** What a byte at this address adds to a sum. */
function placed(byte: number, at: number): number {
  return byte << ((at & 1) << 3);
}

/*
 * The loops below sum 32-bit words twice: all of them mod 2^32, and their high halves. The sum of
 * the low halves, below 2^32 itself, is what remains: one operation a word less than masking both.
 */

function halves(all: number, high: number): number {
  return ((all - (high << 16)) >>> 0) + high;
}

function sumWords(from: Uint32Array, f: number, count: number): number {
  let all = 0;
  let high = 0;
  const end = f + (count & ~1);
  for (; f < end; f += 2) {
    const a = from[f];
    const b = from[f + 1];
    all = (all + a + b) | 0;
    high = (high + (a >>> 16) + (b >>> 16)) | 0;
  }
  if ((count & 1) === 0) return halves(all, high);
  const last = from[f];
  return halves((all + last) | 0, high + (last >>> 16));
}

function copyWords(to: Uint32Array, t: number, from: Uint32Array, f: number, count: number) {
  let all = 0;
  let high = 0;
  for (const end = t + count; t < end; t++, f++) {
    const a = from[f];
    to[t] = a;
    all = (all + a) | 0;
    high = (high + (a >>> 16)) | 0;
  }
  return halves(all, high);
}

/** As copyWords, where each word lies across two of the source: `shift` bits into the first. */
function copyShifted(
  to: Uint32Array,
  t: number,
  from: Uint32Array,
  f: number,
  count: number,
  shift: number,
): number {
  if (count === 0) return 0;
  let all = 0;
  let high = 0;
  let word = from[f++];
  const rest = 32 - shift;
  for (const end = t + count; t < end; t++, f++) {
    const next = from[f];
    const a = word >>> shift | next << rest;
    to[t] = a;
    all = (all + a) | 0;
    high = (high + (a >>> 16)) | 0;
    word = next;
  }
  return halves(all, high);
}
