import type { Mbufs } from "../mempool/mbuf.ts";
import { fold, get16, swap16 } from "./checksum.ts";
import { IpLayer, PROTOCOL } from "./ip_layer.ts";
import { finishChecksum } from "./partial_checksum.ts";
import { findInnerLayer } from "./tunnel.ts";
import { behindTags } from "./vlan.ts";

/** EtherTypes as a little-endian machine loads them. */
const IPV4 = 0x0008, IPV6 = 0xdd86, CUSTOMER_TAG = 0x0081, SERVICE_TAG = 0xa888;

/** Of an IPv4 header (RFC 791): version 4, no options; fragment offset, and that more follow. */
const NO_OPTIONS = 0x45, FRAGMENT = 0x3fff;

/** Bytes of headers; where TCP, UDP and SCTP have their checksum. */
const ETHERNET_BYTES = 14, IPV4_BYTES = 20, IPV6_BYTES = 40;
const TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, SCTP_CHECKSUM = 8;

const outer = new IpLayer();
const inner = new IpLayer();

/**
 * Finish the checksum of a frame whose sender, on this machine, has left it to a NIC. XDP does not
 * tell. But such a checksum is the sum of the pseudo-header and nothing else in TCP and UDP, and 0
 * in SCTP; and a finished one that happens to be the same comes out as it was, as the rest then
 * sums to its complement. So most frames cost a look at their headers.
 *
 * @param frame Where it starts, in bytes; even.
 * @param length Its bytes.
 */
export function finishPartialChecksum(mbufs: Mbufs, frame: number, length: number): void {
  const { u16 } = mbufs;
  const type = u16[(frame + 12) >>> 1];
  if (type === IPV4) {
    const ip = (frame + ETHERNET_BYTES) >>> 1; // in 16-bit words
    if ((u16[ip] & 0xff) === NO_OPTIONS && u16[ip + 4] >>> 8 === PROTOCOL.TCP) {
      finishTcp(mbufs, frame, length, ip);
    } else finishAny(mbufs, frame, frame + length);
  } else if (type === IPV6 || type === CUSTOMER_TAG || type === SERVICE_TAG) {
    finishAny(mbufs, frame, frame + length);
  }
}

/** The way of most frames: TCP behind an IPv4 header without options. */
function finishTcp(mbufs: Mbufs, frame: number, length: number, ip: number): void {
  const { u16 } = mbufs;
  const bytes = swap16(u16[ip + 1]) - IPV4_BYTES;
  const start = ETHERNET_BYTES + IPV4_BYTES;
  const sum = u16[ip + 6] + u16[ip + 7] + u16[ip + 8] + u16[ip + 9] + (PROTOCOL.TCP << 8) +
    swap16(bytes);
  if (fold(sum) !== u16[(frame + start + TCP_CHECKSUM) >>> 1]) return;
  if (start + bytes > length || (swap16(u16[ip + 3]) & FRAGMENT) !== 0) return;
  finishChecksum(mbufs, frame, start + bytes, start, TCP_CHECKSUM);
}

/** Any frame up to byte `end`: of the packet itself, or of the one in its tunnel. */
function finishAny(mbufs: Mbufs, frame: number, end: number): void {
  const { u8 } = mbufs;
  const network = behindTags(u8, frame);
  if (!outer.read(mbufs, network, end, get16(u8, network - 2))) return;
  if (finishPacket(mbufs, frame, end, outer)) return;
  if (findInnerLayer(mbufs, outer, end, inner)) finishPacket(mbufs, frame, end, inner);
}

/** Finish the checksum behind this IP header; false if it was not to be finished. */
function finishPacket(mbufs: Mbufs, frame: number, end: number, ip: IpLayer): boolean {
  const { u8 } = mbufs;
  const { network, transport, isIpv4, isRouteKnown } = ip;
  const packetEnd = network + get16(u8, ip.lengthAt) + (isIpv4 ? 0 : IPV6_BYTES);
  if (packetEnd > end || isIpv4 && (get16(u8, network + 6) & FRAGMENT) !== 0) return false;
  const at = checksumAt(ip.protocol);
  if (at < 0 || transport + at + 4 > packetEnd + 2 || !isRouteKnown) return false;
  const found = get16(u8, transport + at);
  const partial = at === SCTP_CHECKSUM
    ? get16(u8, transport + at + 2)
    : swap16(fold(ip.pseudoHeader(mbufs) + swap16(packetEnd - transport)));
  if (found !== partial || at === SCTP_CHECKSUM && found !== 0) return false;
  return finishChecksum(mbufs, frame, packetEnd - frame, transport - frame, at);
}

/** Where the checksum is, in bytes from the header behind IP's; -1 if we know none there. */
function checksumAt(protocol: number): number {
  if (protocol === PROTOCOL.TCP) return TCP_CHECKSUM;
  if (protocol === PROTOCOL.UDP) return UDP_CHECKSUM;
  return protocol === PROTOCOL.SCTP ? SCTP_CHECKSUM : -1;
}
