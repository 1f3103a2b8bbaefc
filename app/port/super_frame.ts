import { shim } from "../../ffi/shim.ts";
import { HEADROOM_BYTES, SUPER_FRAME_MAX } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { MbufSource } from "../mempool/mbuf_source.ts";
import type { Burst } from "../ring/burst.ts";
import { copyAndSum, fold, put16, swap16 } from "./checksum.ts";
import {
  GSO,
  HEADERS_MAX_BYTES,
  NEEDS_CSUM,
  SuperFrameHeaders,
  UDP_LENGTH,
} from "./super_frame_headers.ts";

/** Most segments of a UDP packet that the kernel takes whole (`UDP_MAX_SEGMENTS`). */
const UDP_SEGMENTS_MAX = 128;

/**
 * Most segments of fewer than {@linkcode SIZE_MIN} bytes of payload: 64 KiB make no more of that
 * size, which is far below what every IPv4 host takes (RFC 791 and 879: 536). A guest that asks for
 * 65,000 would have us, or the kernel, cut one frame for seconds.
 */
const SEGMENTS_MAX = 750, SIZE_MIN = 88;

/** Memory, known to the shim, with what did not fit into mbufs. */
export interface Overflow {
  /** The shim's number of the memory. */
  readonly map: number;
}

/**
 * Cuts a super-frame, a TCP or UDP packet that its sender left to the NIC to segment, into the
 * frames that the NIC would have sent. As in Linux's `tcp_gso_segment()`, `__udp_gso_segment()`,
 * `inet_gso_segment()`, `ipv6_gso_segment()` and `skb_udp_tunnel_segment()`, sequence number and
 * IPv4 identification count on, FIN and PSH are in the last segment only, CWR in the first.
 *
 * Lengths and checksums are made anew from the packet itself: the partial sum that came with it may
 * be another packet's (fraglist GRO leaves that of the first of many). Around the packet there may
 * be a tunnel of VXLAN, Geneve, GRE or IP, whose lengths and checksums are made anew too.
 *
 * The headers are read once, into private memory: a guest that writes in the mbuf meanwhile can
 * spoil the frame and nothing else. A segment's payload is copied and summed by the shim.
 *
 * It may also pass whole, to a receiver that takes that: then {@linkcode headerTo} makes a header,
 * and {@linkcode completePartial} writes the partial checksum that goes with that.
 */
export class SuperFrame {
  /** Bytes of the longest segment's frame, headers included. */
  segmentBytes = 0;
  /** Segments left to be made; 0 if finished. What is left for want of mbufs is dropped. */
  pending = 0;

  readonly #headers = new SuperFrameHeaders();

  // The payload: where its next bytes lie, how many are left in the mbuf and in all.
  readonly #mbufs: Mbufs;
  readonly #target: Mbufs;
  readonly #overflow: number;
  readonly #overflowBytes: number;
  #frameByte = 0;
  #length = 0;
  #offload = 0;
  #mbufByte = 0;
  #overflowByte = 0;
  #inMbuf = 0;
  #left = 0;
  #size = 0;

  /**
   * Cut super-frames that lie in `mbufs`, or start there and go on in `overflow`.
   *
   * @param overflowBytes How many may lie there.
   * @param target Where the segments are made: by default where the super-frame is.
   */
  constructor(mbufs: Mbufs, overflow?: Overflow, overflowBytes = 0, target: Mbufs = mbufs) {
    this.#mbufs = mbufs;
    this.#target = target;
    this.#overflow = overflow?.map ?? mbufs.map;
    this.#overflowBytes = overflowBytes;
  }

  /**
   * Start on the super-frame of a descriptor, `length` bytes with these meta (`struct rx_meta` in
   * shim/burst.h). It must stay until none is {@linkcode pending}.
   *
   * @param overflowByte Where in the overflow it goes on, in bytes.
   * @returns false, with none pending, if it is not one that we understand or can store.
   */
  begin(
    word0: number,
    word1: number,
    length: number,
    offload: number,
    checksum: number,
    overflowByte = 0,
  ): boolean {
    this.pending = 0;
    const inMbuf = word1 >>> 16;
    const frameByte = this.#mbufs.frameByte(word0, word1);
    const known = Math.min(inMbuf, length, HEADERS_MAX_BYTES);
    copyAndSum(this.#headers.words, 0, this.#mbufs, frameByte, known);
    if (!this.#headers.parse(known, length, offload, checksum)) return false;
    this.#frameByte = frameByte;
    this.#length = length;
    this.#offload = offload;
    this.#mbufByte = frameByte + this.#headers.bytes;
    this.#overflowByte = overflowByte;
    this.#inMbuf = inMbuf - this.#headers.bytes;
    this.#left = length - this.#headers.bytes;
    this.#size = offload >>> 16;
    if (this.#left - this.#inMbuf > this.#overflowBytes || this.#size === 0) return false;
    if (!this.#headers.ip.isIpv4 && length > 0xffff) this.#headers.removeJumboHeader();
    this.segmentBytes = this.#headers.bytes + Math.min(this.#size, this.#left);
    if (this.segmentBytes > this.#target.stride - HEADROOM_BYTES) return false;
    const segments = Math.max(1, Math.ceil(this.#left / this.#size));
    if (segments > SEGMENTS_MAX && this.#size < SIZE_MIN) return false;
    this.pending = segments;
    return true;
  }

  /** Whether the packet is in a tunnel, also of a super-frame that was refused. */
  get isTunnel(): boolean {
    return this.#headers.isTunnel;
  }

  /**
   * Whether what has begun may pass whole: in one mbuf, in no tunnel, no longer than descriptors
   * and length fields can say, and with a checksum that is to be completed.
   *
   * @param tagBytes Of a tag that is still to be put in.
   */
  mayPass(tagBytes = 0): boolean {
    return !this.isTunnel && this.#left === this.#inMbuf &&
      this.#length + tagBytes <= SUPER_FRAME_MAX && this.#headers.ip.isRouteKnown &&
      (this.#headers.isTcp || this.pending <= UDP_SEGMENTS_MAX);
  }

  /** Bytes of the longest segment's packet: what an MTU limits. */
  get packetBytes(): number {
    return this.segmentBytes - this.#headers.outer.network;
  }

  /**
   * Write the offload header of the whole super-frame as three words: see `SUPER_HEADER`. It is
   * made from the packet itself; only the size of segments, and ECN, are what came with it.
   *
   * @param tagBytes Of a tag that is still to be put in.
   */
  headerTo(words: Uint32Array, at: number, tagBytes = 0): void {
    const type = (this.#headers.isTcp ? this.#offload & ~0xff : GSO.UDP_L4 << 8) & 0xff00;
    const start = this.#headers.ip.transport + tagBytes;
    words[at] = NEEDS_CSUM | type | (this.#headers.bytes + tagBytes) << 16;
    words[at + 1] = this.#size | start << 16;
    words[at + 2] = this.#headers.checksumAt;
  }

  /**
   * Write the partial checksum into the super-frame, and a datagram's length: those that came may
   * be another packet's, or a guest's.
   */
  completePartial(): void {
    const { transport } = this.#headers.ip;
    const at = this.#frameByte + transport;
    const bytes = this.#length - transport;
    const field = at + this.#headers.checksumAt;
    put16(this.#mbufs.u8, field, swap16(fold(this.#headers.pseudoHeader + swap16(bytes))));
    if (!this.#headers.isTcp) put16(this.#mbufs.u8, at + UDP_LENGTH, bytes);
  }

  /**
   * Make the next segment, in an mbuf of its own, as descriptor number `at` of `burst`.
   *
   * @returns false if none is {@linkcode pending}, or if the mempool is empty.
   */
  next(burst: Burst, at: number, mempool: MbufSource): boolean {
    if (this.pending === 0 || mempool.allocBulk(burst, 1, at) === 0) return false;
    const headers = this.#headers;
    const count = this.#left < this.#size ? this.#left : this.#size;
    const byte = this.#target.frameByte(burst.words[at << 1], HEADROOM_BYTES);
    const payload = this.#copyPayload(byte + headers.bytes, count);
    headers.complete(headers.bytes + count, payload, this.pending === 1);
    copyAndSum(this.#target, byte, headers.words, 0, headers.bytes);
    burst.words[(at << 1) + 1] = dataWord(HEADROOM_BYTES, headers.bytes + count);
    headers.countOn(count);
    this.#left -= count;
    this.pending--;
    return true;
  }

  /** Copy the next `count` bytes of payload, from mbuf, overflow or both; returns their sum. */
  #copyPayload(to: number, count: number): number {
    const here = this.#inMbuf < count ? this.#inMbuf : count;
    const there = count - here;
    const target = this.#target.map << 16;
    const total = shim.shim_sum(this.#mbufs.map | target, this.#mbufByte, to, here) +
      shim.shim_sum(this.#overflow | target, this.#overflowByte, to + here, there);
    this.#mbufByte += here;
    this.#inMbuf -= here;
    this.#overflowByte += there;
    return total;
  }
}
