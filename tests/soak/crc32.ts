/** The polynomial of CRC-32 (IEEE 802.3), bits reversed. */
const POLYNOMIAL = 0xedb88320;

/** Four tables of 256: what a byte does to the sum when 0, 1, 2 or 3 more follow it in its word. */
const TABLES = makeTables();

/**
 * CRC-32 as Ethernet, zip and zlib have it, over words and up to three bytes behind them.
 *
 * @param u32 Little-endian words.
 * @param start The first word.
 * @param bytes How many bytes from there.
 * @param skip A word of them that is left out: where the sum itself lies.
 */
export function crc32(u32: Uint32Array, start: number, bytes: number, skip = -1): number {
  const tables = TABLES;
  const end = start + (bytes >>> 2);
  let crc = ~0;
  for (let i = start; i < end; i++) {
    if (i === skip) continue;
    crc ^= u32[i];
    crc = tables[768 + (crc & 0xff)] ^ tables[512 + (crc >>> 8 & 0xff)] ^
      tables[256 + (crc >>> 16 & 0xff)] ^ tables[crc >>> 24];
  }
  let rest = (bytes & 3) > 0 ? u32[end] : 0;
  for (let left = bytes & 3; left > 0; left--) {
    crc = tables[(crc ^ rest) & 0xff] ^ crc >>> 8;
    rest >>>= 8;
  }
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256];
    tables[i] = tables[before & 0xff] ^ before >>> 8;
  }
  return tables;
}
