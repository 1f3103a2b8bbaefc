import { HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { Mempool } from "../mempool/mempool.ts";
import type { Burst } from "../ring/burst.ts";
import { checksumOf, copyAndSum, get16, put16, sum, swap16, wordsOf } from "./checksum.ts";
import { IpLayer, PROTOCOL } from "./ip_layer.ts";
import { findInnerLayer } from "./tunnel.ts";
import { behindTags } from "./vlan.ts";

/** Of `struct virtio_net_hdr` (virtio 1.2, 5.1.6): types of segmentation, less ECN; a flag. */
const GSO = { TCPV4: 1, TCPV6: 4, UDP_L4: 5, MASK: 0x7f } as const;
const NEEDS_CSUM = 1;
const TCP_FLAG = { FIN: 0x01, PSH: 0x08, CWR: 0x80 } as const;
/** Where TCP and UDP have their checksum, in bytes; and UDP its length. */
const TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, UDP_LENGTH = 4, UDP_BYTES = 8;
/** A hop-by-hop header of one option, the jumbo payload (RFC 2675), in front of TCP. */
const JUMBO = { FIRST: 0x0600, SECOND: 0xc204, BYTES: 8 } as const;
/** Most bytes before the payload: two IP headers with a tunnel's between come to 200 or so. */
const HEADERS_MAX_BYTES = 256;

/**
 * Cuts a super-frame, a TCP or UDP packet that its sender left to the NIC to segment, into the
 * frames that the NIC would have sent. As in Linux's `tcp_gso_segment()`, `__udp_gso_segment()`,
 * `inet_gso_segment()`, `ipv6_gso_segment()` and `skb_udp_tunnel_segment()`, sequence number and
 * IPv4 identification count on, FIN and PSH are in the last segment only, CWR in the first.
 *
 * Lengths and checksums are made anew from the packet itself: the partial sum that came with it may
 * be another's (fraglist GRO leaves that of the first of many). Around the packet there may be a
 * tunnel of VXLAN, Geneve, GRE or IP, whose lengths and checksums are made anew too.
 *
 * The headers are read once, into private memory: a guest that writes in the mbuf meanwhile can
 * spoil the frame and nothing else. A segment's payload is copied once and summed in that pass.
 */
export class SuperFrame {
  /** Bytes of the longest segment's frame, headers included. */
  segmentBytes = 0;
  /** Segments left to be made; 0 if finished. What is left for want of mbufs is dropped. */
  pending = 0;
  /** Whether the packet is in a tunnel, also of a super-frame that was refused. */
  isTunnel = false;

  // The headers of the next segment, but for lengths and checksums.
  readonly #headers = wordsOf(new Uint8Array(HEADERS_MAX_BYTES));
  #headerBytes = 0;
  /** The IP header in front of TCP or UDP. */
  readonly #ip = new IpLayer();
  /** The IP header around a tunnel. */
  readonly #outer = new IpLayer();
  #isTcp = false;
  #tcpFlags = 0;
  #pseudoHeader = 0;

  // The payload: where its next bytes lie, how many are left in the mbuf and in all.
  readonly #mbufs: Mbufs;
  readonly #overflow;
  readonly #overflowBytes: number;
  #mbufByte = 0;
  #overflowByte = 0;
  #inMbuf = 0;
  #left = 0;
  #size = 0;

  /**
   * Cut super-frames that start in `mbufs` and go on in `overflow`, which starts at a multiple of 4
   * and has `overflowBytes`, a multiple of 4, for each descriptor of a received burst.
   */
  constructor(mbufs: Mbufs, overflow: Uint8Array, overflowBytes: number) {
    this.#mbufs = mbufs;
    this.#overflow = wordsOf(overflow);
    this.#overflowBytes = overflowBytes;
  }

  /**
   * Start on the super-frame of descriptor number `i` in `words`, `length` bytes with these meta
   * (`struct rx_meta` in shim/burst.c). It must stay until none is {@linkcode pending}.
   *
   * @returns false, with none pending, if it is not one that we understand or can store.
   */
  begin(words: Uint32Array, i: number, length: number, offload: number, checksum: number): boolean {
    this.pending = 0;
    const inMbuf = words[(i << 1) + 1] >>> 16;
    const frameByte = this.#mbufs.frameByte(words[i << 1], words[(i << 1) + 1]);
    const known = Math.min(inMbuf, length, HEADERS_MAX_BYTES);
    copyAndSum(this.#headers, 0, this.#mbufs, frameByte, known);
    if (!this.#parse(known, length, offload, checksum)) return false;
    this.#mbufByte = frameByte + this.#headerBytes;
    this.#overflowByte = i * this.#overflowBytes;
    this.#inMbuf = inMbuf - this.#headerBytes;
    this.#left = length - this.#headerBytes;
    this.#size = offload >>> 16;
    if (this.#left - this.#inMbuf > this.#overflowBytes || this.#size === 0) return false;
    if (!this.#ip.isIpv4 && length > 0xffff) this.#removeJumboHeader();
    this.segmentBytes = this.#headerBytes + Math.min(this.#size, this.#left);
    if (this.segmentBytes > this.#mbufs.stride - HEADROOM_BYTES) return false;
    this.pending = Math.max(1, Math.ceil(this.#left / this.#size));
    return true;
  }

  /**
   * Make the next segment, in an mbuf of its own, as descriptor number `at` of `burst`.
   *
   * @returns false if none is {@linkcode pending}, or else if the mempool is empty.
   */
  next(burst: Burst, at: number, mempool: Mempool): boolean {
    if (this.pending === 0 || mempool.allocBulk(burst, 1, at) === 0) return false;
    const count = this.#left < this.#size ? this.#left : this.#size;
    const byte = this.#mbufs.frameByte(burst.words[at << 1], HEADROOM_BYTES);
    const payload = this.#copyPayload(byte + this.#headerBytes, count);
    this.#completeHeaders(this.#headerBytes + count, payload);
    copyAndSum(this.#mbufs, byte, this.#headers, 0, this.#headerBytes);
    burst.words[(at << 1) + 1] = dataWord(HEADROOM_BYTES, this.#headerBytes + count);
    this.#countOn(count);
    return true;
  }

  /** Check headers, offload words and length against each other. */
  #parse(known: number, length: number, offload: number, checksum: number): boolean {
    this.isTunnel = false;
    const { u8 } = this.#headers;
    const gso = offload >>> 8 & GSO.MASK;
    const isTcp = this.#isTcp = gso === GSO.TCPV4 || gso === GSO.TCPV6;
    if (!isTcp && gso !== GSO.UDP_L4) return false;
    const network = behindTags(u8);
    if (!this.#outer.read(this.#headers, network, known, get16(u8, network - 2))) return false;
    // Without NEEDS_CSUM the receiving NIC has merged it: then nothing tells where TCP starts.
    const isPartial = (offload & NEEDS_CSUM) !== 0;
    const told = isPartial ? checksum & 0xffff : this.#outer.transport;
    this.isTunnel = told !== this.#outer.transport;
    if (!this.#findPacket(network, known, told)) return false;
    const { protocol, transport, isIpv4 } = this.#ip;
    if (protocol !== (isTcp ? PROTOCOL.TCP : PROTOCOL.UDP)) return false;
    if (isTcp && isIpv4 !== (gso === GSO.TCPV4)) return false;
    if (isPartial && checksum >>> 16 !== (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM)) return false;
    if (!this.#ip.endsAt(u8, length)) return false;
    const least = isTcp ? 20 : UDP_BYTES;
    this.#headerBytes = transport + (isTcp ? u8[transport + 12] >>> 4 << 2 : UDP_BYTES);
    if (this.#headerBytes < transport + least || this.#headerBytes > known) return false;
    this.#tcpFlags = u8[transport + 13];
    if (this.#ip.isRouteKnown) this.#pseudoHeader = this.#ip.pseudoHeader(this.#headers);
    else if (isPartial) this.#pseudoHeader = this.#toldPseudoHeader(length);
    else return false;
    return true;
  }

  /** Find the IP header whose payload starts at byte `transport`: false if it is not there. */
  #findPacket(network: number, known: number, transport: number): boolean {
    if (this.isTunnel) {
      return findInnerLayer(this.#headers, this.#outer, known, this.#ip) &&
        this.#ip.transport === transport;
    }
    const type = get16(this.#headers.u8, network - 2);
    return this.#ip.read(this.#headers, network, known, type);
  }

  /** Of a packet with a routing header that we cannot read: what its partial checksum implies. */
  #toldPseudoHeader(length: number): number {
    const { transport } = this.#ip;
    const field = get16(this.#headers.u8, transport + (this.#isTcp ? TCP_CHECKSUM : UDP_CHECKSUM));
    return swap16(field) + checksumOf(length - transport);
  }

  /** Take out what older kernels put in BIG TCP and no segment has a use for. */
  #removeJumboHeader(): void {
    const { u8 } = this.#headers;
    const next = this.#ip.network + 6;
    const at = this.#ip.network + 40;
    if (u8[next] !== PROTOCOL.HOP_BY_HOP || get16(u8, at) !== JUMBO.FIRST) return;
    if (get16(u8, at + 2) !== JUMBO.SECOND) return;
    u8[next] = PROTOCOL.TCP;
    u8.copyWithin(at, at + JUMBO.BYTES, this.#headerBytes);
    this.#ip.transport -= JUMBO.BYTES;
    this.#headerBytes -= JUMBO.BYTES;
  }

  /** Copy the next `count` bytes of payload, from mbuf, overflow or both; returns their sum. */
  #copyPayload(to: number, count: number): number {
    const here = this.#inMbuf < count ? this.#inMbuf : count;
    const there = count - here;
    const total = copyAndSum(this.#mbufs, to, this.#mbufs, this.#mbufByte, here) +
      copyAndSum(this.#mbufs, to + here, this.#overflow, this.#overflowByte, there);
    this.#mbufByte += here;
    this.#inMbuf -= here;
    this.#overflowByte += there;
    return total;
  }

  /** Fill lengths, flags and checksums in, for a frame of `length` with the sum `payload`. */
  #completeHeaders(length: number, payload: number): void {
    const { u8 } = this.#headers;
    const { transport } = this.#ip;
    this.#completeIp(this.#ip, length);
    const kept = this.pending === 1 ? 0xff : ~(TCP_FLAG.FIN | TCP_FLAG.PSH);
    if (this.#isTcp) u8[transport + 13] = this.#tcpFlags & kept;
    else put16(u8, transport + UDP_LENGTH, length - transport);
    const at = transport + (this.#isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
    put16(u8, at, 0);
    const pseudoHeader = this.#pseudoHeader + swap16(length - transport);
    const header = sum(this.#headers, transport, this.#headerBytes);
    const checksum = checksumOf(pseudoHeader + header + payload);
    put16(u8, at, this.#isTcp ? checksum : checksum || 0xffff); // UDP: 0 is none (RFC 768)
    if (this.isTunnel) this.#completeTunnel(length, payload);
  }

  /** Length and checksum of an IP header whose packet ends with the frame. */
  #completeIp(ip: IpLayer, length: number): void {
    const { u8 } = this.#headers;
    put16(u8, ip.lengthAt, ip.lengthTo(length));
    if (!ip.isIpv4) return;
    put16(u8, ip.network + 10, 0);
    put16(u8, ip.network + 10, checksumOf(sum(this.#headers, ip.network, ip.transport)));
  }

  /** The headers around the packet, once that is complete. */
  #completeTunnel(length: number, payload: number): void {
    const { u8 } = this.#headers;
    const { transport, protocol } = this.#outer;
    this.#completeIp(this.#outer, length);
    if (protocol !== PROTOCOL.UDP) return;
    put16(u8, transport + UDP_LENGTH, length - transport);
    if (get16(u8, transport + UDP_CHECKSUM) === 0) return; // none (RFC 768; RFC 6935)
    put16(u8, transport + UDP_CHECKSUM, 0);
    const pseudoHeader = this.#outer.pseudoHeader(this.#headers) + swap16(length - transport);
    const header = sum(this.#headers, transport, this.#headerBytes);
    put16(u8, transport + UDP_CHECKSUM, checksumOf(pseudoHeader + header + payload) || 0xffff);
  }

  #countOn(count: number): void {
    const { u8 } = this.#headers;
    if (this.#ip.isIpv4) countIdentification(u8, this.#ip.network);
    if (this.isTunnel && this.#outer.isIpv4) countIdentification(u8, this.#outer.network);
    this.#left -= count;
    this.pending--;
    if (!this.#isTcp) return;
    this.#tcpFlags &= ~TCP_FLAG.CWR;
    const sequence = this.#ip.transport + 4;
    const low = get16(u8, sequence + 2) + count;
    put16(u8, sequence + 2, low);
    put16(u8, sequence, get16(u8, sequence) + (low >>> 16));
  }
}

function countIdentification(u8: Uint8Array, network: number): void {
  put16(u8, network + 4, get16(u8, network + 4) + 1);
}
