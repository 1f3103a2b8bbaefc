/** The reversed polynomial of CRC32c (Castagnoli; RFC 9260, appendix A). */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/**
 * The CRC32c of a memory's bytes from `start` to before `end`, as SCTP has it in its common header:
 * least significant byte first.
 *
 * @returns an unsigned 32-bit number.
 */
export function crc32c(u8: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) crc = TABLE[(crc ^ u8[at]) & 0xff] ^ crc >>> 8;
  return ~crc >>> 0;
}
