import { HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { checksumOf, copyAndSum, get16, put16, sum, swap16, wordsOf } from "./checksum.ts";
import { behindTags } from "./vlan.ts";

/** Of `struct virtio_net_hdr` (virtio 1.2, 5.1.6): types of segmentation, less ECN; a flag. */
const GSO = { TCPV4: 1, TCPV6: 4, UDP_L4: 5, MASK: 0x7f } as const;
const NEEDS_CSUM = 1;
const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd } as const;
const PROTOCOL = { HOP_BY_HOP: 0, TCP: 6, UDP: 17 } as const;
const TCP_FLAG = { FIN: 0x01, PSH: 0x08, CWR: 0x80 } as const;
/** A hop-by-hop header of one option, the jumbo payload (RFC 2675), in front of TCP. */
const JUMBO = { FIRST: 0x0600, SECOND: 0xc204, BYTES: 8 } as const;
/** Most bytes before the payload: with two tags and all options, IPv4 and TCP come to 142. */
const HEADERS_MAX_BYTES = 256;

/**
 * Cuts a super-frame, a TCP or UDP packet that the sender left to its NIC to segment, into the
 * frames that the NIC would have sent. As in Linux's `tcp_gso_segment()`, `__udp_gso_segment()`,
 * `inet_gso_segment()` and `ipv6_gso_segment()`, sequence number and IPv4 identification count on,
 * FIN and PSH are in the last segment only, CWR in the first; lengths and checksums are made anew.
 *
 * The headers are read once, into private memory: a guest that writes in the mbuf meanwhile can
 * spoil the frame and nothing else. A segment's payload is copied once and summed in that pass.
 */
export class SuperFrame {
  /** Bytes of the longest segment's frame, headers included. */
  segmentBytes = 0;
  /** Segments left to be made; 0 if finished. What is left for want of mbufs is dropped. */
  pending = 0;

  // The headers of the next segment, but for lengths and checksums.
  readonly #headers = wordsOf(new Uint8Array(HEADERS_MAX_BYTES));
  #headerBytes = 0;
  #network = 0;
  #transport = 0;
  #isIpv4 = false;
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
   * Start on the super-frame of descriptor `i` of a received burst, `length` bytes with these meta
   * (`struct rx_meta` in shim/burst.c). It must stay until none is {@linkcode pending}.
   *
   * @returns false, with none pending, if it is not one that we understand or can store.
   */
  begin(burst: Uint32Array, i: number, length: number, offload: number, checksum: number): boolean {
    this.pending = 0;
    const inMbuf = burst[(i << 1) + 1] >>> 16;
    const frameByte = this.#mbufs.frameByte(burst[i << 1], burst[(i << 1) + 1]);
    const known = Math.min(inMbuf, length, HEADERS_MAX_BYTES);
    copyAndSum(this.#headers, 0, this.#mbufs, frameByte, known);
    if (!this.#parse(length, offload, checksum) || this.#headerBytes > known) return false;
    this.#mbufByte = frameByte + this.#headerBytes;
    this.#overflowByte = i * this.#overflowBytes;
    this.#inMbuf = inMbuf - this.#headerBytes;
    this.#left = length - this.#headerBytes;
    this.#size = offload >>> 16;
    if (this.#left - this.#inMbuf > this.#overflowBytes || this.#size === 0) return false;
    if (!this.#isIpv4 && length > 0xffff) this.#removeJumboHeader();
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
  next(burst: Uint32Array, at: number, mempool: Mempool): boolean {
    if (this.pending === 0 || mempool.allocBulk(burst, 1, at) === 0) return false;
    const count = this.#left < this.#size ? this.#left : this.#size;
    const byte = this.#mbufs.frameByte(burst[at << 1], HEADROOM_BYTES);
    const payload = this.#copyPayload(byte + this.#headerBytes, count);
    this.#completeHeaders(this.#headerBytes + count, payload);
    copyAndSum(this.#mbufs, byte, this.#headers, 0, this.#headerBytes);
    burst[(at << 1) + 1] = dataWord(HEADROOM_BYTES, this.#headerBytes + count);
    this.#countOn(count);
    return true;
  }

  /** Check headers, meta and length against each other; false if they are not understood. */
  #parse(length: number, offload: number, checksum: number): boolean {
    const { u8 } = this.#headers;
    const gso = offload >>> 8 & GSO.MASK;
    const isTcp = this.#isTcp = gso === GSO.TCPV4 || gso === GSO.TCPV6;
    const network = this.#network = behindTags(u8);
    const isIpv4 = this.#isIpv4 = get16(u8, network - 2) === ETHERTYPE.IPV4;
    const transport = this.#transport = checksum & 0xffff;
    const partial = transport + (isTcp ? 16 : 6);
    if (isTcp ? isIpv4 !== (gso === GSO.TCPV4) : gso !== GSO.UDP_L4) return false;
    if ((offload & NEEDS_CSUM) === 0 || (checksum >>> 16) + transport !== partial) return false;
    if (!isPacket(u8, network, transport, length, isTcp)) return false;
    this.#headerBytes = transport + (isTcp ? u8[transport + 12] >>> 4 << 2 : 8);
    this.#tcpFlags = u8[transport + 13];
    // As the kernel does, take the length out of the partial checksum: the rest fits every segment.
    this.#pseudoHeader = swap16(get16(u8, partial)) + checksumOf(length - transport);
    return this.#headerBytes >= transport + (isTcp ? 20 : 8);
  }

  /** Take out what older kernels put in BIG TCP and no segment has a use for. */
  #removeJumboHeader(): void {
    const { u8 } = this.#headers;
    const next = this.#network + 6;
    const at = this.#network + 40;
    if (u8[next] !== PROTOCOL.HOP_BY_HOP || get16(u8, at) !== JUMBO.FIRST) return;
    if (get16(u8, at + 2) !== JUMBO.SECOND) return;
    u8[next] = PROTOCOL.TCP;
    u8.copyWithin(at, at + JUMBO.BYTES, this.#headerBytes);
    this.#transport -= JUMBO.BYTES;
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
    const network = this.#network;
    const transport = this.#transport;
    put16(u8, network + (this.#isIpv4 ? 2 : 4), length - network - (this.#isIpv4 ? 0 : 40));
    if (this.#isIpv4) {
      put16(u8, network + 10, 0);
      put16(u8, network + 10, checksumOf(sum(this.#headers, network, transport)));
    }
    const held = this.pending === 1 ? 0 : TCP_FLAG.FIN | TCP_FLAG.PSH;
    if (this.#isTcp) u8[transport + 13] = this.#tcpFlags & ~held;
    else put16(u8, transport + 4, length - transport);
    const at = transport + (this.#isTcp ? 16 : 6);
    put16(u8, at, 0);
    const pseudoHeader = this.#pseudoHeader + swap16(length - transport);
    const header = sum(this.#headers, transport, this.#headerBytes);
    const checksum = checksumOf(pseudoHeader + header + payload);
    put16(u8, at, this.#isTcp ? checksum : checksum || 0xffff); // UDP: 0 is none (RFC 768)
  }

  #countOn(count: number): void {
    const { u8 } = this.#headers;
    if (this.#isIpv4) put16(u8, this.#network + 4, get16(u8, this.#network + 4) + 1);
    this.#left -= count;
    this.pending--;
    if (!this.#isTcp) return;
    this.#tcpFlags &= ~TCP_FLAG.CWR;
    const sequence = this.#transport + 4;
    const low = get16(u8, sequence + 2) + count;
    put16(u8, sequence + 2, low);
    put16(u8, sequence, get16(u8, sequence) + (low >>> 16));
  }
}

/** Whether an IP header from `at` to `end` tells of TCP (or UDP) and a packet up to `length`. */
function isPacket(u8: Uint8Array, at: number, end: number, length: number, isTcp: boolean) {
  const type = get16(u8, at - 2);
  const headerBytes = end - at;
  const protocol = isTcp ? PROTOCOL.TCP : PROTOCOL.UDP;
  const isIpv4 = type === ETHERTYPE.IPV4 && u8[at] >>> 4 === 4 && u8[at + 9] === protocol &&
    headerBytes >= 20 && headerBytes === (u8[at] & 0xf) << 2;
  const isIpv6 = type === ETHERTYPE.IPV6 && headerBytes >= 40 && u8[at] >>> 4 === 6 &&
    (headerBytes === 40 ? u8[at + 6] === protocol : (headerBytes & 7) === 0);
  const bytes = length - at - (isIpv4 ? 0 : 40);
  const told = bytes > 0xffff ? 0 : bytes; // BIG TCP
  return (isIpv4 || isIpv6) && get16(u8, at + (isIpv4 ? 2 : 4)) === told;
}
