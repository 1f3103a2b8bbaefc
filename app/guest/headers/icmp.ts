import type { FrameBurst } from "../function/frame_burst.ts";
import { internetChecksum, updateChecksum } from "./checksum.ts";
import { ethernet } from "./ethernet.ts";
import { ipv4 } from "./ipv4.ts";
import { PROTOCOL } from "./transport.ts";

/** Types of ICMP (RFC 792), and of ICMPv6 (RFC 4443). */
export const ICMP = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;
/** Types of ICMPv6 (RFC 4443, RFC 4861). */
export const ICMPV6 = {
  UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  NEIGHBOR_SOLICITATION: 135,
  NEIGHBOR_ADVERTISEMENT: 136,
} as const;

/** Offsets of the checksum, and of what an error quotes. */
const CHECKSUM = 2, QUOTED = 8;

/**
 * ICMP and ICMPv6, whose headers are alike. `at` is where the IP header says that its payload
 * starts. Setters keep the checksum.
 */
export const icmp = {
  /** One of {@linkcode ICMP} or {@linkcode ICMPV6}, or another number. */
  type: (burst: FrameBurst, i: number, at: number): number => burst.u8(i, at),
  /** What the type is about, more closely. */
  code: (burst: FrameBurst, i: number, at: number): number => burst.u8(i, at + 1),
  /** Of an echo: the identifier of the program that asks. */
  identifier: (burst: FrameBurst, i: number, at: number): number => burst.u16(i, at + 4),

  /**
   * Offset of the IPv4 header that an ICMP error quotes, of the packet that it is about; 8 bytes of
   * what that carries are there as well. -1 if the message is no error, or quotes less.
   */
  quotedAt: (burst: FrameBurst, i: number, at: number): number => {
    if (at + QUOTED + 20 > burst.length(i)) return -1;
    const type = icmp.type(burst, i, at);
    const isError = type === ICMP.UNREACHABLE || type === ICMP.TIME_EXCEEDED ||
      type === ICMP.PARAMETER_PROBLEM;
    const quoted = at + QUOTED;
    if (!isError || burst.u8(i, quoted) >>> 4 !== 4) return -1;
    const bytes = ipv4.headerBytes(burst, i, quoted);
    return bytes >= 20 && quoted + bytes + 8 <= burst.length(i) ? quoted : -1;
  },

  /** Set the type; the code stays. */
  setType: (burst: FrameBurst, i: number, at: number, type: number): void => {
    setWord(burst, i, at, 0, type << 8 | burst.u8(i, at + 1));
  },

  /** Of an echo: set the identifier of the program that asks. */
  setIdentifier: (burst: FrameBurst, i: number, at: number, identifier: number): void => {
    setWord(burst, i, at, 4, identifier);
  },

  /**
   * Turn an echo request into the reply to it: addresses change places, Ethernet's too.
   *
   * @param at Where the IPv4 header is: what `ipv4.at()` has given.
   * @returns false, with nothing changed, if the packet is no echo request, or not all of one.
   */
  reply: (burst: FrameBurst, i: number, at: number): boolean => {
    if (ipv4.transport(burst, i, at) !== PROTOCOL.ICMP) return false;
    const message = ipv4.payload(burst, i, at);
    const isWhole = message + 8 <= at + ipv4.totalBytes(burst, i, at);
    if (!isWhole || icmp.type(burst, i, message) !== ICMP.ECHO_REQUEST) return false;
    const source = ipv4.source(burst, i, at), destination = ipv4.destination(burst, i, at);
    icmp.setType(burst, i, message, ICMP.ECHO_REPLY);
    ipv4.setSource(burst, i, at, destination);
    ipv4.setDestination(burst, i, at, source);
    ethernet.swap(burst, i);
    return true;
  },

  /**
   * Make the checksum of an ICMP message of `bytes` anew. Not for ICMPv6, as its checksum covers
   * addresses.
   */
  complete: (burst: FrameBurst, i: number, at: number, bytes: number): void => {
    burst.setU16(i, at + CHECKSUM, 0);
    burst.setU16(i, at + CHECKSUM, internetChecksum(burst, i, at, bytes));
  },
} as const;

function setWord(burst: FrameBurst, i: number, at: number, field: number, to: number): void {
  const from = burst.u16(i, at + field);
  burst.setU16(i, at + field, to);
  burst.setU16(i, at + CHECKSUM, updateChecksum(burst.u16(i, at + CHECKSUM), from, to));
}
