import type { FrameBurst } from "../function/frame_burst.ts";

/**
 * A checksum after a 16-bit word of what it covers has changed (RFC 1624, equation 4: of the two
 * forms of zero it gives the one that is right for data of zeros alone, too).
 *
 * @param checksum As it stands in the header.
 * @param from What the word was.
 * @param to What it is now.
 */
export function updateChecksum(checksum: number, from: number, to: number): number {
  const sum = checksum + from + (~to & 0xffff);
  const folded = (sum & 0xffff) + (sum >>> 16);
  return (folded & 0xffff) + (folded >>> 16);
}

/** As {@linkcode updateChecksum}, for a 32-bit number at an even offset. */
export function updateChecksum32(checksum: number, from: number, to: number): number {
  const high = updateChecksum(checksum, from >>> 16, to >>> 16);
  return updateChecksum(high, from & 0xffff, to & 0xffff);
}

/**
 * The Internet checksum (RFC 1071) of `length` bytes of frame `i` from offset `at` on: what a
 * checksum field among them has to hold if it is 0 now.
 *
 * @param start What the sum begins with: that of a pseudo-header.
 */
export function internetChecksum(
  burst: FrameBurst,
  i: number,
  at: number,
  length: number,
  start = 0,
): number {
  let sum = start;
  const even = at + (length & ~1);
  for (let k = at; k < even; k += 2) sum += burst.u16(i, k);
  if ((length & 1) !== 0) sum += burst.u8(i, even) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
