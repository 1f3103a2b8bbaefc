import type { FrameBurst } from "../function/frame_burst.ts";
import { internetChecksum, updateChecksum } from "./checksum.ts";
import { ethernet, ETHERTYPE } from "./ethernet.ts";
import { PROTOCOL, updateTransport32 } from "./transport.ts";

const HEADER_BYTES = 20;

/** Where the header is in frames without a VLAN tag. */
const AT_UNTAGGED = 14;

/** Offsets in the header. */
const AT = {
  LENGTH: 2,
  ID: 4,
  FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  CHECKSUM: 10,
  SOURCE: 12,
} as const;
const DESTINATION = 16;
const MORE_FRAGMENTS = 0x2000, FRAGMENT_OFFSET = 0x1fff;

/**
 * IPv4 (RFC 791). `at` is what {@linkcode ipv4.at} gives; addresses are numbers, 0 to 2^32 - 1.
 * Setters keep the header's checksum, and TCP's or UDP's where it covers what they set.
 *
 * @example
 * ```ts
 * import { type Burst, ipv4, PROTOCOL, tcp } from "../../function.ts";
 *
 * // Let only TCP to port 443 through.
 * export default function (burst: Burst) {
 *   for (let i = 0; i < burst.count; i++) {
 *     const at = ipv4.at(burst, i);
 *     const isTcp = at > 0 && ipv4.transport(burst, i, at) === PROTOCOL.TCP;
 *     const port = isTcp ? tcp.destination(burst, i, ipv4.payload(burst, i, at)) : 0;
 *     if (port !== 443) burst.drop(i);
 *   }
 * }
 * ```
 */
export const ipv4 = {
  /** Offset of the IPv4 header of frame `i`, or -1 if there is none, or not all of its packet. */
  at: (burst: FrameBurst, i: number): number => {
    const length = burst.length(i);
    if (length < AT_UNTAGGED + HEADER_BYTES) return -1;
    const start = burst.start(i);
    const { u8 } = burst.memory;
    let at = AT_UNTAGGED;
    if (u8[start + 12] !== 0x08 || u8[start + 13] !== 0x00) { // seldom: there are tags
      if (ethernet.type(burst, i) !== ETHERTYPE.IPV4) return -1;
      at = ethernet.payload(burst, i);
      if (at + HEADER_BYTES > length) return -1;
    }
    const first = u8[start + at];
    const headerBytes = (first & 0xf) << 2;
    const bytes = u8[start + at + AT.LENGTH] << 8 | u8[start + at + AT.LENGTH + 1];
    const isSound = first >>> 4 === 4 && headerBytes >= HEADER_BYTES && bytes >= headerBytes &&
      at + bytes <= length;
    return isSound ? at : -1;
  },

  /** Bytes of the header, options included. */
  headerBytes: (burst: FrameBurst, i: number, at: number): number => {
    return (burst.u8(i, at) & 0xf) << 2;
  },

  /** Bytes of the packet, header included. */
  totalBytes: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u16(i, at + AT.LENGTH);
  },

  /** Offset of what the packet carries: behind the options. */
  payload: (burst: FrameBurst, i: number, at: number): number => {
    return at + ipv4.headerBytes(burst, i, at);
  },

  /** What the packet carries: one of {@linkcode PROTOCOL}, or another number. */
  protocol: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u8(i, at + AT.PROTOCOL);
  },

  /**
   * As {@linkcode ipv4.protocol}, or -1 if its header is not there: in a later fragment, or a
   * packet that ends in the middle of it.
   */
  transport: (burst: FrameBurst, i: number, at: number): number => {
    if ((burst.u16(i, at + AT.FRAGMENT) & FRAGMENT_OFFSET) !== 0) return -1;
    const protocol = ipv4.protocol(burst, i, at);
    const bytes = ipv4.totalBytes(burst, i, at) - ipv4.headerBytes(burst, i, at);
    const least = protocol === PROTOCOL.TCP ? 20 : protocol === PROTOCOL.UDP ? 8 : 0;
    return bytes >= least ? protocol : -1;
  },

  /** Whether the packet is a fragment of a longer one, be it the first. */
  isFragment: (burst: FrameBurst, i: number, at: number): boolean => {
    return (burst.u16(i, at + AT.FRAGMENT) & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0;
  },

  /** The source address. */
  source: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u32(i, at + AT.SOURCE);
  },

  /** The destination address. */
  destination: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u32(i, at + DESTINATION);
  },

  /** Set the source address. */
  setSource: (burst: FrameBurst, i: number, at: number, address: number): void => {
    setAddress(burst, i, at, at + AT.SOURCE, address);
  },

  /** Set the destination address. */
  setDestination: (burst: FrameBurst, i: number, at: number, address: number): void => {
    setAddress(burst, i, at, at + DESTINATION, address);
  },

  /** Time to live. */
  ttl: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u8(i, at + AT.TTL);
  },

  /** Set the time to live. */
  setTtl: (burst: FrameBurst, i: number, at: number, ttl: number): void => {
    const before = burst.u16(i, at + AT.TTL); // with the protocol, which stays
    burst.setU8(i, at + AT.TTL, ttl);
    const checksum = burst.u16(i, at + AT.CHECKSUM);
    burst.setU16(i, at + AT.CHECKSUM, updateChecksum(checksum, before, burst.u16(i, at + AT.TTL)));
  },

  /** Write a header without options: the packet of `bytes`, header included, is not a fragment. */
  write: (
    burst: FrameBurst,
    i: number,
    at: number,
    fields: { source: number; destination: number; protocol: number; bytes: number; ttl?: number },
  ): void => {
    burst.setU16(i, at, 0x4500);
    burst.setU16(i, at + AT.LENGTH, fields.bytes);
    burst.setU32(i, at + AT.ID, 0x4000); // identification 0, "don't fragment"
    burst.setU8(i, at + AT.TTL, fields.ttl ?? 64);
    burst.setU8(i, at + AT.PROTOCOL, fields.protocol);
    burst.setU16(i, at + AT.CHECKSUM, 0);
    burst.setU32(i, at + AT.SOURCE, fields.source);
    burst.setU32(i, at + DESTINATION, fields.destination);
    burst.setU16(i, at + AT.CHECKSUM, internetChecksum(burst, i, at, HEADER_BYTES));
  },
} as const;

function setAddress(burst: FrameBurst, i: number, at: number, field: number, address: number) {
  const before = burst.u32(i, field);
  burst.setU32(i, field, address);
  for (let half = 16; half >= 0; half -= 16) {
    const checksum = burst.u16(i, at + AT.CHECKSUM);
    const [from, to] = [before >>> half & 0xffff, address >>> half & 0xffff];
    burst.setU16(i, at + AT.CHECKSUM, updateChecksum(checksum, from, to));
  }
  const protocol = ipv4.transport(burst, i, at);
  updateTransport32(burst, i, ipv4.payload(burst, i, at), protocol, before, address);
}

/** `10.0.0.1` as a number. */
export function parseIpv4(text: string): number {
  const bytes = text.split(".").map(Number);
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text) || bytes.some((byte) => byte > 255)) {
    throw new TypeError(`Cannot use "${text}" as an IPv4 address: write 10.0.0.1`);
  }
  return bytes.reduce((address, byte) => address * 256 + byte, 0);
}

/** The addresses that begin alike: those whose `address & mask`, unsigned, is this `address`. */
export interface Ipv4Prefix {
  /** The first of them. */
  readonly address: number;
  /** The bits in which they are alike. */
  readonly mask: number;
  /** How many bits those are, 0 to 32. */
  readonly bits: number;
}

/**
 * `10.0.0.0/8` as a prefix; an address alone is a prefix of 32 bits, and `any` is one of 0 bits.
 *
 * @throws {TypeError} if it is something else, or has bits behind the prefix.
 */
export function parseIpv4Prefix(text: string): Ipv4Prefix {
  const [, first, length = "32"] = /^([^/]+)(?:\/(\d+))?$/.exec(text === "any" ? ANY : text) ?? [];
  const bits = Number(length);
  const mask = bits === 0 ? 0 : -1 << 32 - bits >>> 0;
  const address = first === undefined || bits > 32 ? -1 : parseIpv4(first);
  if ((address & mask) >>> 0 === address) return { address, mask, bits };
  throw new TypeError(`Cannot use "${text}" as an IPv4 prefix: write 10.0.0.0/8, or any`);
}

const ANY = "0.0.0.0/0";

/** A number as `10.0.0.1`. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => address >>> shift & 0xff).join(".");
}
