import type { FrameBurst } from "../function/frame_burst.ts";
import { ethernet, ETHERTYPE } from "./ethernet.ts";
import { PROTOCOL } from "./transport.ts";

const HEADER_BYTES = 40;

/** Extension headers that have their length in their second byte (RFC 8200, 4). */
const HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60;

/** Most extension headers that are walked through. */
const EXTENSIONS_MAX = 8;

/**
 * IPv6 (RFC 8200). `at` is what {@linkcode ipv6.at} gives. An address has 16 bytes:
 * `burst.u32(i, at + ipv6.SOURCE + 4 * k)` for k from 0 to 3.
 */
export const ipv6 = {
  /** Offsets of the addresses from the header's start. */
  SOURCE: 8,
  /** See {@linkcode ipv6.SOURCE}. */
  DESTINATION: 24,

  /** Offset of the IPv6 header of frame `i`, or -1 if there is none, or not all of its packet. */
  at: (burst: FrameBurst, i: number): number => {
    if (ethernet.type(burst, i) !== ETHERTYPE.IPV6) return -1;
    const at = ethernet.payload(burst, i);
    const length = burst.length(i);
    if (at + HEADER_BYTES > length || burst.u8(i, at) >>> 4 !== 6) return -1;
    return at + HEADER_BYTES + burst.u16(i, at + 4) <= length ? at : -1;
  },

  /** Bytes of what follows the header, extension headers included. */
  payloadBytes: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u16(i, at + 4);
  },

  /** Offset of what the packet carries, behind extension headers; -1 if they do not end well. */
  payload: (burst: FrameBurst, i: number, at: number): number => {
    return walk(burst, i, at) & 0xffff || -1;
  },

  /**
   * What the packet carries: one of {@linkcode PROTOCOL}, or another number; -1 if its header is
   * not there: in a later fragment, or behind extension headers that do not end well.
   */
  transport: (burst: FrameBurst, i: number, at: number): number => {
    const found = walk(burst, i, at);
    if (found === 0) return -1;
    const protocol = found >>> 16;
    const bytes = at + HEADER_BYTES + ipv6.payloadBytes(burst, i, at) - (found & 0xffff);
    const least = protocol === PROTOCOL.TCP ? 20 : protocol === PROTOCOL.UDP ? 8 : 0;
    return bytes >= least ? protocol : -1;
  },

  /** Hops that the packet may still make. */
  hopLimit: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u8(i, at + 7);
  },

  /** Set the hops that the packet may still make: no checksum covers that. */
  setHopLimit: (burst: FrameBurst, i: number, at: number, hops: number): void => {
    burst.setU8(i, at + 7, hops);
  },
} as const;

/**
 * Protocol (16 bits) and offset (16) of what the extension headers lead to; 0 if that is not there.
 */
function walk(burst: FrameBurst, i: number, at: number): number {
  const end = at + HEADER_BYTES + ipv6.payloadBytes(burst, i, at);
  let protocol = burst.u8(i, at + 6);
  let next = at + HEADER_BYTES;
  for (let n = 0; n < EXTENSIONS_MAX; n++) {
    const isKnown = protocol === HOP_BY_HOP || protocol === ROUTING || protocol === DESTINATION ||
      protocol === FRAGMENT;
    if (!isKnown) return protocol << 16 | next;
    if (next + 8 > end) return 0;
    if (protocol === FRAGMENT && burst.u16(i, next + 2) >>> 3 !== 0) return 0;
    const bytes = protocol === FRAGMENT ? 8 : 8 + (burst.u8(i, next + 1) << 3);
    protocol = burst.u8(i, next);
    next += bytes;
    if (next > end) return 0;
  }
  return 0;
}
