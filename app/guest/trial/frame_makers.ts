import { ARP } from "../headers/arp.ts";
import { internetChecksum } from "../headers/checksum.ts";
import { ETHERTYPE, vlan } from "../headers/ethernet.ts";
import { ICMP, icmp } from "../headers/icmp.ts";
import { ipv4, parseIpv4 } from "../headers/ipv4.ts";
import { PROTOCOL, TCP_FLAG } from "../headers/transport.ts";
import { type Addresses, type FrameFields, macBytes, ScratchFrame } from "./scratch_frame.ts";

/** Ethernet header, IPv4 header, UDP header, TCP header in bytes; offsets in an Ethernet frame. */
const ETHERNET_BYTES = 14, IPV4_BYTES = 20, UDP_BYTES = 8, TCP_BYTES = 20;
const IPV4_AT = ETHERNET_BYTES, TRANSPORT_AT = IPV4_AT + IPV4_BYTES;

/** What an ARP packet says. */
export interface ArpFields extends FrameFields {
  /** One of `ARP`: a request by default. */
  readonly operation?: number;
  /** The sender's MAC address: the frame's source by default. */
  readonly senderMac?: string;
  /** The sender's IPv4 address: 192.0.2.1 by default. */
  readonly senderIp?: string;
  /** The target's MAC address: zeros by default. */
  readonly targetMac?: string;
  /** The target's IPv4 address: 192.0.2.2 by default. */
  readonly targetIp?: string;
}

/** What an IPv4 header says. */
export interface Ipv4Fields extends FrameFields {
  /** The source address: 192.0.2.1 by default. */
  readonly sourceIp?: string;
  /** The destination address: 192.0.2.2 by default. */
  readonly destinationIp?: string;
  /** Time to live: 64 by default. */
  readonly ttl?: number;
}

/** What a UDP header says. */
export interface UdpFields extends Ipv4Fields {
  /** The source port: 49152 by default. */
  readonly sourcePort?: number;
  /** The destination port: by default 9 (discard), of TCP 80. */
  readonly destinationPort?: number;
}

/** What a TCP header says. */
export interface TcpFields extends UdpFields {
  /** Bits of `TCP_FLAG`: SYN by default. */
  readonly flags?: number;
  /** The sequence number: 0 by default. */
  readonly sequence?: number;
  /** The acknowledgement number: 0 by default. */
  readonly acknowledgement?: number;
  /** The window: 65535 by default. */
  readonly window?: number;
}

/** What an ICMP echo says. */
export interface EchoFields extends Ipv4Fields {
  /** Whether it is a reply: a request by default. */
  readonly reply?: boolean;
  /** The identifier of the program that asks: 1 by default. */
  readonly identifier?: number;
  /** The sequence number: 1 by default. */
  readonly sequence?: number;
}

/** Which VLAN a frame is in. */
export interface VlanFields {
  /** Its number, 0 to 4095. */
  readonly id: number;
  /** Priority, 0 to 7: 0 by default. */
  readonly priority?: number;
  /** EtherType of the tag: 0x8100 by default. */
  readonly type?: number;
}

/**
 * Makers of frames: what is left out has a default, from what is set aside for documentation (RFC
 * 5737, RFC 7042), and checksums are right. Frames are as short as their content, as a TAP gives
 * them: without padding to 60 bytes, without FCS.
 *
 * @example
 * ```ts
 * import { frame } from "../../testing.ts";
 *
 * const ping = frame.icmpEcho({ destinationIp: "192.0.2.7", payload: new Uint8Array(56) });
 * console.assert(ping.length === 98);
 * console.assert(frame.vlan(frame.arp(), { id: 7 }).length === 46);
 * ```
 */
export const frame = {
  /** An Ethernet frame. `type` is its EtherType: 0x88b5, for experiments, by default. */
  ethernet: (fields: FrameFields & { readonly type?: number } = {}): Uint8Array => {
    const { type = 0x88b5, payload = new Uint8Array(46) } = fields;
    return ethernetFrame(fields, type, payload.length).put(ETHERNET_BYTES, payload).bytes;
  },

  /** A frame in a VLAN: `bytes` with a tag in front of those that it has. */
  vlan: (
    bytes: Uint8Array,
    { id, priority = 0, type = ETHERTYPE.VLAN }: VlanFields,
  ): Uint8Array => {
    const { burst } = new ScratchFrame(bytes.length).put(0, bytes);
    if (!vlan.push(burst, 0, priority << 13 | id, type)) {
      throw new RangeError(`Cannot tag a frame of ${bytes.length} bytes: 14 or more are wanted`);
    }
    return burst.bytes(0).slice();
  },

  /** ARP for IPv4 (RFC 826): a request to all stations by default. */
  arp: (fields: ArpFields = {}): Uint8Array => {
    const { operation = ARP.REQUEST, senderIp = SOURCE_IP, targetIp = DESTINATION_IP } = fields;
    const { destination = "ff:ff:ff:ff:ff:ff", senderMac = fields.source } = fields;
    const made = ethernetFrame({ ...fields, destination }, ETHERTYPE.ARP, 28);
    const { burst } = made;
    burst.setU32(0, 14, 0x00010800);
    burst.setU16(0, 18, 0x0604);
    burst.setU16(0, 20, operation);
    made.put(22, senderMac === undefined ? burst.bytes(0).slice(6, 12) : macBytes(senderMac));
    burst.setU32(0, 28, parseIpv4(senderIp));
    made.put(32, macBytes(fields.targetMac ?? "00:00:00:00:00:00"));
    burst.setU32(0, 38, parseIpv4(targetIp));
    return made.bytes;
  },

  /** An IPv4 packet (RFC 791). `protocol` is what it carries: 253, for experiments, by default. */
  ipv4: (fields: Ipv4Fields & { readonly protocol?: number } = {}): Uint8Array => {
    const { protocol = 253, payload = new Uint8Array(0) } = fields;
    return ipv4Frame(fields, protocol, payload.length).put(TRANSPORT_AT, payload).bytes;
  },

  /** A UDP datagram (RFC 768). */
  udp: (fields: UdpFields = {}): Uint8Array => {
    const { sourcePort = 49_152, destinationPort = 9, payload = new Uint8Array(18) } = fields;
    const bytes = UDP_BYTES + payload.length;
    const made = ipv4Frame(fields, PROTOCOL.UDP, bytes).put(TRANSPORT_AT + UDP_BYTES, payload);
    const { burst } = made;
    burst.setU16(0, TRANSPORT_AT, sourcePort);
    burst.setU16(0, TRANSPORT_AT + 2, destinationPort);
    burst.setU16(0, TRANSPORT_AT + 4, bytes);
    const checksum = transportChecksum(made, PROTOCOL.UDP, bytes);
    burst.setU16(0, TRANSPORT_AT + 6, checksum || 0xffff);
    return made.bytes;
  },

  /** A TCP segment without options (RFC 9293). */
  tcp: (fields: TcpFields = {}): Uint8Array => {
    const { sourcePort = 49_152, destinationPort = 80, payload = new Uint8Array(0) } = fields;
    const { flags = TCP_FLAG.SYN, sequence = 0, acknowledgement = 0, window = 0xffff } = fields;
    const bytes = TCP_BYTES + payload.length;
    const made = ipv4Frame(fields, PROTOCOL.TCP, bytes).put(TRANSPORT_AT + TCP_BYTES, payload);
    const { burst } = made;
    burst.setU16(0, TRANSPORT_AT, sourcePort);
    burst.setU16(0, TRANSPORT_AT + 2, destinationPort);
    burst.setU32(0, TRANSPORT_AT + 4, sequence);
    burst.setU32(0, TRANSPORT_AT + 8, acknowledgement);
    burst.setU16(0, TRANSPORT_AT + 12, TCP_BYTES >> 2 << 12 | flags);
    burst.setU16(0, TRANSPORT_AT + 14, window);
    burst.setU16(0, TRANSPORT_AT + 16, transportChecksum(made, PROTOCOL.TCP, bytes));
    return made.bytes;
  },

  /** An ICMP echo request or reply (RFC 792). */
  icmpEcho: (fields: EchoFields = {}): Uint8Array => {
    const { reply = false, identifier = 1, sequence = 1 } = fields;
    const { payload = new Uint8Array(56) } = fields;
    const bytes = 8 + payload.length;
    const made = ipv4Frame(fields, PROTOCOL.ICMP, bytes).put(TRANSPORT_AT + 8, payload);
    const { burst } = made;
    burst.setU8(0, TRANSPORT_AT, reply ? ICMP.ECHO_REPLY : ICMP.ECHO_REQUEST);
    burst.setU16(0, TRANSPORT_AT + 4, identifier);
    burst.setU16(0, TRANSPORT_AT + 6, sequence);
    icmp.complete(burst, 0, TRANSPORT_AT, bytes);
    return made.bytes;
  },
} as const;

const SOURCE_IP = "192.0.2.1", DESTINATION_IP = "192.0.2.2";

/** A frame with an Ethernet header, and room for `bytes` behind it. */
function ethernetFrame(
  { destination = "00:00:5e:00:53:02", source = "00:00:5e:00:53:01" }: Addresses,
  type: number,
  bytes: number,
): ScratchFrame {
  const made = new ScratchFrame(ETHERNET_BYTES + bytes);
  made.put(0, macBytes(destination)).put(6, macBytes(source));
  made.burst.setU16(0, 12, type);
  return made;
}

/** A frame with Ethernet and IPv4 headers, and room for `bytes` behind them. */
function ipv4Frame(fields: Ipv4Fields, protocol: number, bytes: number): ScratchFrame {
  const made = ethernetFrame(fields, ETHERTYPE.IPV4, IPV4_BYTES + bytes);
  ipv4.write(made.burst, 0, IPV4_AT, {
    source: parseIpv4(fields.sourceIp ?? SOURCE_IP),
    destination: parseIpv4(fields.destinationIp ?? DESTINATION_IP),
    ...{ protocol, bytes: IPV4_BYTES + bytes, ttl: fields.ttl },
  });
  return made;
}

/** The checksum of TCP or UDP, whose field is 0 now: it covers a pseudo-header as well. */
function transportChecksum({ burst }: ScratchFrame, protocol: number, bytes: number): number {
  let pseudo = protocol + bytes;
  for (let at = IPV4_AT + 12; at < TRANSPORT_AT; at += 2) pseudo += burst.u16(0, at);
  return internetChecksum(burst, 0, TRANSPORT_AT, bytes, pseudo);
}
