import type { FrameBurst } from "./function/frame_burst.ts";

/** Members of a burst that are read once: to read them for each frame costs a fifth. */
export type Frames = Pick<FrameBurst, "memory" | "descriptors" | "count">;

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

/**
 * Write destination and source address of each frame of a burst.
 *
 * @param addresses As {@linkcode addressWords} makes them.
 */
export function writeAddresses(
  { memory, descriptors, count }: Frames,
  addresses: Uint32Array,
): void {
  // As int32: numbers beyond 2^31 would be kept as floating point.
  const first = addresses[0] | 0, second = addresses[1] | 0, third = addresses[2] | 0;
  const { u32 } = memory;
  for (let i = 0; i < count; i++) {
    const byte = memory.frameByte(descriptors[i << 1], descriptors[(i << 1) + 1]);
    if ((byte & 3) !== 0) {
      writeHalves(memory.u16, byte >>> 1, addresses);
      continue;
    }
    const at = byte >>> 2;
    u32[at] = first;
    u32[at + 1] = second;
    u32[at + 2] = third;
  }
}

/** Frames start at even bytes: the host lends them so. */
function writeHalves(u16: Uint16Array, at: number, addresses: Uint32Array): void {
  for (let k = 0; k < 6; k++) u16[at + k] = addresses[k >> 1] >>> ((k & 1) << 4);
}

/** Swap destination and source address of each frame of a burst. */
export function swapAddresses({ memory, descriptors, count }: Frames): void {
  const { u32 } = memory;
  for (let i = 0; i < count; i++) {
    const byte = memory.frameByte(descriptors[i << 1], descriptors[(i << 1) + 1]);
    if ((byte & 3) === 0) swapByWords(u32, byte >>> 2);
    else swapByHalves(memory.u16, byte >>> 1);
  }
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
