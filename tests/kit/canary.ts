/** Fills what lies beside the mbufs of a region: it must never be in a frame that leaves. */
export const CANARY = 0x0ddba11d;

/** Lies at the head of each mbuf: a frame that has it after its first byte reaches the next. */
export const MBUF_HEAD = 0x0badf00d;

/** All bits but one of each byte, which three bytes of CANARY and of MBUF_HEAD have set. */
const PLAIN = 0xf7f7f7f7;

/** A number like `value` in which, with any neighbours, no CANARY and no MBUF_HEAD begins. */
export function plain(value: number): number {
  return (value & PLAIN) >>> 0;
}

/** At which of the `length` bytes at `from` a `word` begins; -1 if at none. */
export function findWord(u8: Uint8Array, from: number, length: number, word: number): number {
  let last = 0;
  for (let at = from, end = from + length; at < end; at++) {
    last = last >>> 8 | u8[at] << 24;
    if (last === word) return at - 3 - from;
  }
  return -1;
}
