import type { FrameBurst } from "../function/frame_burst.ts";
import { updateChecksum, updateChecksum32 } from "./checksum.ts";

/** IP protocol numbers (IANA, "Protocol Numbers"). */
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132 } as const;

/** Offsets of the checksums. */
const TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, ICMPV6_CHECKSUM = 2;

/** Flags of TCP (RFC 9293, 3.1). */
export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

/**
 * Offset of the checksum that covers addresses, or -1 if `protocol` has none there, or the frame
 * ends before it: ICMP errors quote the first 8 bytes of a TCP header.
 */
function checksumAt(burst: FrameBurst, i: number, at: number, protocol: number): number {
  const field = fieldAt(burst, i, at, protocol);
  return field + 2 <= burst.length(i) ? field : -1;
}

function fieldAt(burst: FrameBurst, i: number, at: number, protocol: number): number {
  if (protocol === PROTOCOL.TCP) return at + TCP_CHECKSUM;
  if (protocol === PROTOCOL.ICMPV6) return at + ICMPV6_CHECKSUM;
  if (protocol !== PROTOCOL.UDP || at + UDP_CHECKSUM + 2 > burst.length(i)) return -1;
  return burst.u16(i, at + UDP_CHECKSUM) === 0 ? -1 : at + UDP_CHECKSUM; // 0: none (RFC 768)
}

/** Mend the checksum of the transport header at `at`: it covers a number that has changed. */
export function updateTransport32(
  burst: FrameBurst,
  i: number,
  at: number,
  protocol: number,
  from: number,
  to: number,
): void {
  const field = checksumAt(burst, i, at, protocol);
  if (field < 0) return;
  const checksum = updateChecksum32(burst.u16(i, field), from, to);
  burst.setU16(i, field, protocol === PROTOCOL.UDP ? checksum || 0xffff : checksum);
}

function setWord(
  burst: FrameBurst,
  i: number,
  at: number,
  protocol: number,
  field: number,
  to: number,
) {
  const from = burst.u16(i, at + field);
  burst.setU16(i, at + field, to);
  const sum = checksumAt(burst, i, at, protocol);
  if (sum < 0) return;
  const checksum = updateChecksum(burst.u16(i, sum), from, to);
  burst.setU16(i, sum, protocol === PROTOCOL.UDP ? checksum || 0xffff : checksum);
}

/** What TCP and UDP have alike; setters keep the checksum. */
function ports(protocol: number): Ports {
  return {
    source: (burst, i, at) => burst.u16(i, at),
    destination: (burst, i, at) => burst.u16(i, at + 2),
    setSource(burst, i, at, port) {
      setWord(burst, i, at, protocol, 0, port);
    },
    setDestination(burst, i, at, port) {
      setWord(burst, i, at, protocol, 2, port);
    },
  };
}

/** The ports of TCP, and of UDP. */
export interface Ports {
  /** The source port. */
  source(burst: FrameBurst, i: number, at: number): number;
  /** The destination port. */
  destination(burst: FrameBurst, i: number, at: number): number;
  /** Set the source port; the checksum follows. */
  setSource(burst: FrameBurst, i: number, at: number, port: number): void;
  /** Set the destination port; the checksum follows. */
  setDestination(burst: FrameBurst, i: number, at: number, port: number): void;
}

/** UDP (RFC 768). `at` is where the IP header says that its payload starts. */
export const udp: Ports & { length(burst: FrameBurst, i: number, at: number): number } = {
  ...ports(PROTOCOL.UDP),
  /** Bytes of the datagram, header included. */
  length: (burst, i, at) => burst.u16(i, at + 4),
};

/** TCP (RFC 9293). `at` is where the IP header says that its payload starts. */
export const tcp: Ports & {
  flags(burst: FrameBurst, i: number, at: number): number;
  sequence(burst: FrameBurst, i: number, at: number): number;
  acknowledgement(burst: FrameBurst, i: number, at: number): number;
  payload(burst: FrameBurst, i: number, at: number): number;
} = {
  ...ports(PROTOCOL.TCP),
  /** Bits of {@linkcode TCP_FLAG}. */
  flags: (burst, i, at) => burst.u8(i, at + 13),
  /** The sequence number. */
  sequence: (burst, i, at) => burst.u32(i, at + 4),
  /** The acknowledgement number. */
  acknowledgement: (burst, i, at) => burst.u32(i, at + 8),
  /** Offset of the data, behind the options. */
  payload: (burst, i, at) => at + (burst.u8(i, at + 12) >>> 4 << 2),
};
