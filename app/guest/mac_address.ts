import type { FrameBurst } from "./function/frame_burst.ts";

/** 6 bytes as text: `02:00:00:00:00:01`. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** The first 12 bytes of a frame, destination and source address, as three little-endian words. */
export function addressWords(destination: Uint8Array, source: Uint8Array): Uint32Array {
  const bytes = new Uint8Array(12);
  bytes.set(destination);
  bytes.set(source, 6);
  return new Uint32Array(bytes.buffer);
}

/** Write destination and source address, as {@linkcode addressWords}, of frame `i` of a burst. */
export function writeAddresses(burst: FrameBurst, i: number, words: Uint32Array): void {
  const byte = burst.start(i);
  const { u16, u32 } = burst.memory;
  if ((byte & 3) === 0) {
    const at = byte >>> 2;
    u32[at] = words[0];
    u32[at + 1] = words[1];
    u32[at + 2] = words[2];
  } else { // frames start at even bytes: the host lends them so
    const at = byte >>> 1;
    for (let k = 0; k < 6; k++) u16[at + k] = words[k >> 1] >>> ((k & 1) << 4);
  }
}

/** Swap destination and source address of frame `i` of a burst. */
export function swapAddresses(burst: FrameBurst, i: number): void {
  const byte = burst.start(i);
  if ((byte & 3) === 0) swapByWords(burst.memory.u32, byte >>> 2);
  else swapByHalves(burst.memory.u16, byte >>> 1);
}

function swapByWords(u32: Uint32Array, at: number): void {
  const a = u32[at]; //     d0 d1 d2 d3, least significant first
  const b = u32[at + 1]; // d4 d5 s0 s1
  const c = u32[at + 2]; // s2 s3 s4 s5
  u32[at] = b >>> 16 | c << 16;
  u32[at + 1] = c >>> 16 | a << 16;
  u32[at + 2] = a >>> 16 | b << 16;
}

function swapByHalves(u16: Uint16Array, at: number): void {
  for (const end = at + 3; at < end; at++) {
    const half = u16[at];
    u16[at] = u16[at + 3];
    u16[at + 3] = half;
  }
}
