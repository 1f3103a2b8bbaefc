/** What lies in the region outside data rooms, wherever nothing else does: it must never leave. */
export const CANARY = 0x0ddba11d;

/** What lies at the head of each mbuf: a frame that has it behind its first byte goes on in another mbuf. */
export const MBUF_HEAD = 0x0badf00d;

/** All bits but one of each byte: three of the canary's bytes, and of the head's, have that one. */
const PLAIN = 0xf7f7f7f7;

/** A number like this one that makes neither, not even with what lies beside it: mbufs may be full of it. */
export function plain(value: number): number {
  return (value & PLAIN) >>> 0;
}

/** Where `word` begins, on whichever byte, among the `length` bytes at `from`; -1 if it does not. */
export function findWord(u8: Uint8Array, from: number, length: number, word: number): number {
  let last = 0;
  for (let at = from, end = from + length; at < end; at++) {
    last = last >>> 8 | u8[at] << 24;
    if (last === word) return at - 3 - from;
  }
  return -1;
}
