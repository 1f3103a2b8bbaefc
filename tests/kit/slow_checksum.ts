/**
 * RFC 1071 by the letter: big-endian words, each carry added at once. 0xffff if all is sound. A
 * part of an odd length ends with a zero byte.
 */
export function slowSum(...parts: Iterable<number>[]): number {
  let total = 0;
  for (const part of parts) {
    const bytes = Uint8Array.from(part);
    for (let i = 0; i < bytes.length; i += 2) {
      total += bytes[i] * 256 + (bytes[i + 1] ?? 0);
      if (total > 0xffff) total -= 0xffff;
    }
  }
  return total;
}

/** Put the checksum of `bytes` into them at `at`. */
export function putChecksum(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at] = bytes[at + 1] = 0;
  const checksum = 0xffff - slowSum(bytes);
  bytes[at] = checksum >>> 8;
  bytes[at + 1] = checksum & 0xff;
  return bytes;
}
