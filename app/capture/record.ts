/**
 * Records of a capture: pcapng Enhanced Packet Blocks, all of one form, as `shim_frames_record()`
 * in shim/record.c writes them.
 *
 * ```text
 *      0                   1                   2                   3
 *     +---------------------------------------------------------------+
 *   0 |                               6                               |
 *   4 |                     length of the block, L                    |
 *   8 |                         port's number                         |
 *  12 |              nanoseconds since 1970: upper half               |
 *  16 |                           lower half                          |
 *  20 |                   bytes that are captured                     |
 *  24 |                     bytes that were there                     |
 *  28 |                    the bytes, zeros behind                    |
 *     |                              ...                              |
 * L-16 |      2: flags follow          |               4               |
 * L-12 |     reason of a drop          |   1: inbound, 2: outbound     |
 *  L-8 |                               0                               |
 *  L-4 |                               L                               |
 *     +---------------------------------------------------------------+
 * ```
 *
 * @module
 */

/** Words of a record, from its beginning. */
export const RECORD = {
  LENGTH: 1,
  PORT: 2,
  TIME_HIGH: 3,
  TIME_LOW: 4,
  CAPTURED: 5,
  WIRE: 6,
  BYTES: 7,
} as const;

/** Bytes of a record without a frame's bytes. */
export const RECORD_BYTES_MIN = 44;

/** Which way a frame went, as its port sees it: bits 0 and 1 of epb_flags. */
export const NO_DIRECTION = 0, INBOUND = 1, OUTBOUND = 2;

/** The word with direction and reason, of a record of `length` bytes that begins at word `at`. */
export function flagsWord(at: number, length: number): number {
  return at + (length >>> 2) - 3;
}
