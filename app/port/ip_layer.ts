import { get16, sum, swap16, type Words } from "./checksum.ts";

/** EtherTypes of the packets that are understood here. */
export const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd } as const;

/** IP protocol numbers, and IPv6 extension headers (IANA). */
export const PROTOCOL = {
  HOP_BY_HOP: 0,
  IPV4: 4,
  TCP: 6,
  UDP: 17,
  IPV6: 41,
  ROUTING: 43,
  GRE: 47,
  DESTINATION: 60,
  SCTP: 132,
} as const;

/** Of an IPv6 routing header: its types, and where its fields are (RFC 8200, 4.4; RFC 8754). */
const ROUTING = { TYPE: 2, SEGMENTS_LEFT: 3, ADDRESSES: 8, SOURCE: 0, MOBILE: 2, SEGMENT: 4 };

/** Most extension headers that are walked through. */
const EXTENSIONS_MAX = 8;

/**
 * One IP header of a frame, with its options or extension headers: where it starts, where what it
 * carries starts, and what its pseudo-header sums to. One object is moved over many frames.
 */
export class IpLayer {
  /** Byte at which the IP header starts. */
  network = 0;
  /** Byte at which the payload starts: behind IPv4 options, or IPv6 extension headers. */
  transport = 0;
  /** IPv4, or else IPv6. */
  isIpv4 = false;
  /** What the payload is: one of {@linkcode PROTOCOL}, or another number. */
  protocol = 0;
  /** Whether the final destination is found, which the pseudo-header has in it. */
  isRouteKnown = true;
  /** Byte at which the address of the final destination is: a routing header may hold it. */
  #destination = 0;

  /**
   * Read the header of EtherType `type` that starts at byte `at` of `memory`.
   *
   * @param end Bytes that may be looked at.
   * @returns false if there is no such header, or it does not end before `end`.
   */
  read(memory: Words, at: number, end: number, type: number): boolean {
    const { u8 } = memory;
    this.network = at;
    this.isRouteKnown = true;
    this.isIpv4 = type === ETHERTYPE.IPV4;
    if (this.isIpv4) {
      this.transport = at + ((u8[at] & 0xf) << 2);
      this.protocol = u8[at + 9];
      this.#destination = at + 16;
      return u8[at] >>> 4 === 4 && this.transport >= at + 20 && this.transport <= end;
    }
    this.transport = at + 40;
    this.protocol = u8[at + 6];
    this.#destination = at + 24;
    return type === ETHERTYPE.IPV6 && u8[at] >>> 4 === 6 && this.transport <= end &&
      this.#walkExtensions(u8, end);
  }

  /**
   * The unfolded sum of the pseudo-header, less its length (RFC 9293, 3.1; RFC 8200, 8.1), as
   * `sum()` has it. Only if {@linkcode isRouteKnown}.
   */
  pseudoHeader(memory: Words): number {
    const bytes = this.isIpv4 ? 4 : 16;
    const source = this.network + (this.isIpv4 ? 12 : 8);
    return sum(memory, source, source + bytes) +
      sum(memory, this.#destination, this.#destination + bytes) + swap16(this.protocol);
  }

  /** Byte at which the header's length field is. */
  get lengthAt(): number {
    return this.network + (this.isIpv4 ? 2 : 4);
  }

  /** What the length field has to say of a packet that ends at byte `end` of the frame. */
  lengthTo(end: number): number {
    return end - this.network - (this.isIpv4 ? 0 : 40);
  }

  /** Whether the length field says that the packet ends at byte `end`; 0 there is BIG TCP's. */
  endsAt(u8: Uint8Array, end: number): boolean {
    const bytes = this.lengthTo(end);
    return get16(u8, this.lengthAt) === (bytes > 0xffff ? 0 : bytes);
  }

  /** Go to the end of the extension headers; false if that cannot be found. */
  #walkExtensions(u8: Uint8Array, end: number): boolean {
    for (let n = 0; n < EXTENSIONS_MAX; n++) {
      const { protocol, transport: at } = this;
      const isExtension = protocol === PROTOCOL.HOP_BY_HOP || protocol === PROTOCOL.ROUTING ||
        protocol === PROTOCOL.DESTINATION;
      if (!isExtension) return true;
      const next = at + 8 + (u8[at + 1] << 3);
      if (next > end) return false;
      if (protocol === PROTOCOL.ROUTING) this.isRouteKnown = this.#route(u8, at, next);
      this.protocol = u8[at];
      this.transport = next;
    }
    return false;
  }

  /** Find the final destination in the routing header at byte `at`; false if it is not known. */
  #route(u8: Uint8Array, at: number, end: number): boolean {
    if (u8[at + ROUTING.SEGMENTS_LEFT] === 0) return true; // it is in the IP header by now
    const first = at + ROUTING.ADDRESSES;
    switch (u8[at + ROUTING.TYPE]) {
      case ROUTING.SEGMENT: // the last segment comes first
      case ROUTING.MOBILE: // there is one address
        this.#destination = first;
        return first + 16 <= end;
      case ROUTING.SOURCE:
        this.#destination = end - 16;
        return this.#destination >= first;
      default:
        return false;
    }
  }
}
