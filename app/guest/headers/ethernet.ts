import type { FrameBurst } from "../function/frame_burst.ts";

/** EtherTypes (IANA, "IEEE 802 Numbers"). */
export const ETHERTYPE = {
  IPV4: 0x0800,
  ARP: 0x0806,
  VLAN: 0x8100,
  IPV6: 0x86dd,
  SERVICE_VLAN: 0x88a8,
} as const;

/** Bytes of an Ethernet header without tags, and of a VLAN tag. */
const HEADER_BYTES = 14, TAG_BYTES = 4;

/** MAC addresses as two numbers: the upper 16 bits, and the lower 32. */
function copyMac(burst: FrameBurst, i: number, from: number, to: number): void {
  const [upper, lower] = [burst.u16(i, from), burst.u32(i, from + 2)]; // they may overlap
  burst.setU16(i, to, upper);
  burst.setU32(i, to + 2, lower);
}

function setMac(burst: FrameBurst, i: number, at: number, mac: Uint8Array): void {
  for (let k = 0; k < 6; k++) burst.setU8(i, at + k, mac[k]);
}

/**
 * The Ethernet header (IEEE 802.3, 3.1) with up to two VLAN tags (IEEE 802.1Q, 9.3) behind its
 * addresses. Offsets are in bytes from the frame's start, addresses have 6 bytes.
 *
 * @example
 * ```ts
 * import { type Burst, ETHERTYPE, ethernet } from "../../function.ts";
 *
 * export default function (burst: Burst) {
 *   for (let i = 0; i < burst.count; i++) {
 *     if (ethernet.type(burst, i) !== ETHERTYPE.IPV4) burst.drop(i);
 *   }
 * }
 * ```
 */
export const ethernet = {
  /** Where the source address is; the destination is at 0. */
  SOURCE: 6,

  /** Offset of the EtherType: behind the tags. */
  typeAt: (burst: FrameBurst, i: number): number => {
    let at = 12;
    const length = burst.length(i);
    for (let tags = 0; tags < 2 && at + TAG_BYTES + 2 <= length; tags++, at += TAG_BYTES) {
      const type = burst.u16(i, at);
      if (type !== ETHERTYPE.VLAN && type !== ETHERTYPE.SERVICE_VLAN) break;
    }
    return at;
  },

  /** The EtherType behind the tags, or -1 if the frame is too short to have one. */
  type: (burst: FrameBurst, i: number): number => {
    return burst.length(i) < HEADER_BYTES ? -1 : burst.u16(i, ethernet.typeAt(burst, i));
  },

  /** Offset of what the frame carries, behind the EtherType. */
  payload: (burst: FrameBurst, i: number): number => {
    return ethernet.typeAt(burst, i) + 2;
  },

  /** The destination as a number below 2^48: a key for a `Map`. */
  destination: (burst: FrameBurst, i: number): number => {
    return burst.u16(i, 0) * 2 ** 32 + burst.u32(i, 2);
  },

  /** The source as a number below 2^48: a key for a `Map`. */
  source: (burst: FrameBurst, i: number): number => {
    return burst.u16(i, 6) * 2 ** 32 + burst.u32(i, 8);
  },

  /** Whether the destination is a group of stations, or all of them. */
  isMulticast: (burst: FrameBurst, i: number): boolean => {
    return (burst.u8(i, 0) & 1) !== 0;
  },

  /** Set the destination. */
  setDestination: (burst: FrameBurst, i: number, mac: Uint8Array): void => {
    setMac(burst, i, 0, mac);
  },

  /** Set the source. */
  setSource: (burst: FrameBurst, i: number, mac: Uint8Array): void => {
    setMac(burst, i, 6, mac);
  },

  /** Exchange destination and source. */
  swap: (burst: FrameBurst, i: number): void => {
    const [upper, lower] = [burst.u16(i, 0), burst.u32(i, 2)];
    copyMac(burst, i, 6, 0);
    burst.setU16(i, 6, upper);
    burst.setU32(i, 8, lower);
  },
} as const;

/** The first VLAN tag of a frame (IEEE 802.1Q, 9.6). */
export const vlan = {
  /** Whether there is one. */
  isTagged: (burst: FrameBurst, i: number): boolean => {
    if (burst.length(i) < HEADER_BYTES + TAG_BYTES) return false;
    const type = burst.u16(i, 12);
    return type === ETHERTYPE.VLAN || type === ETHERTYPE.SERVICE_VLAN;
  },

  /** The VLAN's number, 0 to 4095, or -1 if the frame has no tag. */
  id: (burst: FrameBurst, i: number): number => {
    return vlan.isTagged(burst, i) ? burst.u16(i, 14) & 0xfff : -1;
  },

  /** Set the VLAN's number; priority and drop eligibility stay. False if the frame has no tag. */
  setId: (burst: FrameBurst, i: number, id: number): boolean => {
    if (!vlan.isTagged(burst, i)) return false;
    burst.setU16(i, 14, burst.u16(i, 14) & 0xf000 | id & 0xfff);
    return true;
  },

  /**
   * Put a tag in front of those that are there.
   *
   * @param tci Priority (3 bits), drop eligibility (1), number (12).
   * @returns false, with nothing changed, if the frame has no headroom or no Ethernet header.
   */
  push: (burst: FrameBurst, i: number, tci: number, type: number = ETHERTYPE.VLAN): boolean => {
    if (burst.length(i) < HEADER_BYTES || !burst.prepend(i, TAG_BYTES)) return false;
    copyMac(burst, i, 4, 0);
    copyMac(burst, i, 10, 6);
    burst.setU16(i, 12, type);
    burst.setU16(i, 14, tci);
    return true;
  },

  /** Take the first tag away; false, with nothing changed, if the frame has none. */
  pop: (burst: FrameBurst, i: number): boolean => {
    if (!vlan.isTagged(burst, i)) return false;
    copyMac(burst, i, 6, 10);
    copyMac(burst, i, 0, 4);
    return burst.adjust(i, TAG_BYTES);
  },
} as const;
