import { checksumOf, get16, put16, sum, swap16, type Words, wordsOf } from "./checksum.ts";
import { IpLayer, PROTOCOL } from "./ip_layer.ts";
import { findInnerLayer } from "./tunnel.ts";
import { behindTags } from "./vlan.ts";

/** Of `struct virtio_net_hdr` (virtio 1.2, 5.1.6): types of segmentation, less ECN; a flag. */
export const GSO = { TCPV4: 1, TCPV6: 4, UDP_L4: 5, MASK: 0x7f } as const;
/** See {@linkcode GSO}. */
export const NEEDS_CSUM = 1;
const TCP_FLAG = { FIN: 0x01, PSH: 0x08, CWR: 0x80 } as const;
/** Where TCP and UDP have their checksum, in bytes; and UDP its length. */
const TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, UDP_BYTES = 8;
/** See {@linkcode TCP_CHECKSUM}. */
export const UDP_LENGTH = 4;
/** A hop-by-hop header of one option, the jumbo payload (RFC 2675), in front of TCP. */
const JUMBO = { FIRST: 0x0600, SECOND: 0xc204, BYTES: 8 } as const;
/** Most bytes before the payload: two IP headers with a tunnel's between come to 200 or so. */
export const HEADERS_MAX_BYTES = 256;

/**
 * The headers of a super-frame, in private memory: those of its next segment, but for lengths and
 * checksums, which {@linkcode complete} fills in.
 */
export class SuperFrameHeaders {
  /** The headers' bytes. */
  readonly words: Words = wordsOf(new Uint8Array(HEADERS_MAX_BYTES));
  /** How many there are. */
  bytes = 0;
  /** The IP header in front of TCP or UDP. */
  readonly ip: IpLayer = new IpLayer();
  /** The IP header around a tunnel, or else the same. */
  readonly outer: IpLayer = new IpLayer();
  /** TCP, or else UDP. */
  isTcp = false;
  /** Whether the packet is in a tunnel. */
  isTunnel = false;
  /** The pseudo-header's unfolded sum, less its length. */
  pseudoHeader = 0;
  #tcpFlags = 0;

  /** Where the checksum is, in bytes from where TCP or UDP starts. */
  get checksumAt(): number {
    return this.isTcp ? TCP_CHECKSUM : UDP_CHECKSUM;
  }

  /**
   * Check headers, of which `known` bytes are in {@linkcode words}, offload words and the frame's
   * length against each other.
   *
   * @returns false if it is not a super-frame that we understand.
   */
  parse(known: number, length: number, offload: number, checksum: number): boolean {
    this.isTunnel = false;
    const { u8 } = this.words;
    const gso = offload >>> 8 & GSO.MASK;
    const isTcp = this.isTcp = gso === GSO.TCPV4 || gso === GSO.TCPV6;
    if (!isTcp && gso !== GSO.UDP_L4) return false;
    const network = behindTags(u8);
    if (!this.outer.read(this.words, network, known, get16(u8, network - 2))) return false;
    // Without NEEDS_CSUM the receiving NIC has merged it: then nothing tells where TCP starts.
    const isPartial = (offload & NEEDS_CSUM) !== 0;
    const told = isPartial ? checksum & 0xffff : this.outer.transport;
    this.isTunnel = told !== this.outer.transport;
    if (!this.#findPacket(network, known, told)) return false;
    const { protocol, transport, isIpv4 } = this.ip;
    if (protocol !== (isTcp ? PROTOCOL.TCP : PROTOCOL.UDP)) return false;
    if (isTcp && isIpv4 !== (gso === GSO.TCPV4)) return false;
    if (isPartial && checksum >>> 16 !== (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM)) return false;
    if (!this.ip.endsAt(u8, length)) return false;
    const least = isTcp ? 20 : UDP_BYTES;
    this.bytes = transport + (isTcp ? u8[transport + 12] >>> 4 << 2 : UDP_BYTES);
    if (this.bytes < transport + least || this.bytes > known) return false;
    this.#tcpFlags = u8[transport + 13];
    if (this.ip.isRouteKnown) this.pseudoHeader = this.ip.pseudoHeader(this.words);
    else if (isPartial) this.pseudoHeader = this.#toldPseudoHeader(length);
    else return false;
    return true;
  }

  /** Find the IP header whose payload starts at byte `transport`: false if it is not there. */
  #findPacket(network: number, known: number, transport: number): boolean {
    if (this.isTunnel) {
      return findInnerLayer(this.words, this.outer, known, this.ip) &&
        this.ip.transport === transport;
    }
    const type = get16(this.words.u8, network - 2);
    return this.ip.read(this.words, network, known, type);
  }

  /**
   * The pseudo-header's sum as the partial checksum implies it, where we cannot read a routing
   * header.
   */
  #toldPseudoHeader(length: number): number {
    const { transport } = this.ip;
    const field = get16(this.words.u8, transport + (this.isTcp ? TCP_CHECKSUM : UDP_CHECKSUM));
    return swap16(field) + checksumOf(length - transport);
  }

  /**
   * Take out the header that older kernels put into BIG TCP packets: no segment has a use for it.
   */
  removeJumboHeader(): void {
    const { u8 } = this.words;
    const next = this.ip.network + 6;
    const at = this.ip.network + 40;
    if (u8[next] !== PROTOCOL.HOP_BY_HOP || get16(u8, at) !== JUMBO.FIRST) return;
    if (get16(u8, at + 2) !== JUMBO.SECOND) return;
    u8[next] = PROTOCOL.TCP;
    u8.copyWithin(at, at + JUMBO.BYTES, this.bytes);
    this.ip.transport -= JUMBO.BYTES;
    this.bytes -= JUMBO.BYTES;
  }

  /** Fill lengths, flags and checksums in, for a frame of `length` with the sum `payload`. */
  complete(length: number, payload: number, isLast: boolean): void {
    const { u8 } = this.words;
    const { transport } = this.ip;
    this.#completeIp(this.ip, length);
    const kept = isLast ? 0xff : ~(TCP_FLAG.FIN | TCP_FLAG.PSH);
    if (this.isTcp) u8[transport + 13] = this.#tcpFlags & kept;
    else put16(u8, transport + UDP_LENGTH, length - transport);
    const at = transport + this.checksumAt;
    put16(u8, at, 0);
    const pseudoHeader = this.pseudoHeader + swap16(length - transport);
    const header = sum(this.words, transport, this.bytes);
    const checksum = checksumOf(pseudoHeader + header + payload);
    put16(u8, at, this.isTcp ? checksum : checksum || 0xffff); // UDP: 0 is none (RFC 768)
    if (this.isTunnel) this.#completeTunnel(length, payload);
  }

  /** Length and checksum of an IP header whose packet ends with the frame. */
  #completeIp(ip: IpLayer, length: number): void {
    const { u8 } = this.words;
    put16(u8, ip.lengthAt, ip.lengthTo(length));
    if (!ip.isIpv4) return;
    put16(u8, ip.network + 10, 0);
    put16(u8, ip.network + 10, checksumOf(sum(this.words, ip.network, ip.transport)));
  }

  /** The headers around the packet, once that is complete. */
  #completeTunnel(length: number, payload: number): void {
    const { u8 } = this.words;
    const { transport, protocol } = this.outer;
    this.#completeIp(this.outer, length);
    if (protocol !== PROTOCOL.UDP) return;
    put16(u8, transport + UDP_LENGTH, length - transport);
    if (get16(u8, transport + UDP_CHECKSUM) === 0) return; // none (RFC 768; RFC 6935)
    put16(u8, transport + UDP_CHECKSUM, 0);
    const pseudoHeader = this.outer.pseudoHeader(this.words) + swap16(length - transport);
    const header = sum(this.words, transport, this.bytes);
    put16(u8, transport + UDP_CHECKSUM, checksumOf(pseudoHeader + header + payload) || 0xffff);
  }

  /** Go on to the headers of the segment behind one with `count` bytes of payload. */
  countOn(count: number): void {
    const { u8 } = this.words;
    if (this.ip.isIpv4) countIdentification(u8, this.ip.network);
    if (this.isTunnel && this.outer.isIpv4) countIdentification(u8, this.outer.network);
    if (!this.isTcp) return;
    this.#tcpFlags &= ~TCP_FLAG.CWR;
    const sequence = this.ip.transport + 4;
    const low = get16(u8, sequence + 2) + count;
    put16(u8, sequence + 2, low);
    put16(u8, sequence, get16(u8, sequence) + (low >>> 16));
  }
}

function countIdentification(u8: Uint8Array, network: number): void {
  put16(u8, network + 4, get16(u8, network + 4) + 1);
}
