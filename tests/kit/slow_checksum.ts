/** RFC 1071 by the letter: big-endian words, each carry added at once. 0xffff if all is sound. */
export function slowSum(bytes: Iterable<number>): number {
  const all = [...bytes];
  if (all.length % 2 === 1) all.push(0);
  let total = 0;
  for (let i = 0; i < all.length; i += 2) {
    total += all[i] * 256 + all[i + 1];
    if (total > 0xffff) total -= 0xffff;
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
