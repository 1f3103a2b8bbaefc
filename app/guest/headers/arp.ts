import type { FrameBurst } from "../function/frame_burst.ts";
import { ethernet, ETHERTYPE } from "./ethernet.ts";

/** Hardware type Ethernet, protocol type IPv4, addresses of 6 and 4 bytes. */
const ETHERNET_IPV4 = [0x0001, 0x0800, 0x0604] as const;
const BYTES = 28;

/** Operations. */
export const ARP = { REQUEST: 1, REPLY: 2 } as const;

/**
 * ARP for IPv4 over Ethernet (RFC 826). `at` is what {@linkcode arp.at} gives; IPv4 addresses are
 * numbers, 0 to 2^32 - 1.
 */
export const arp = {
  /** Offset of the ARP packet in frame `i`, or -1 if there is none for IPv4 over Ethernet. */
  at: (burst: FrameBurst, i: number): number => {
    if (ethernet.type(burst, i) !== ETHERTYPE.ARP) return -1;
    const at = ethernet.payload(burst, i);
    if (at + BYTES > burst.length(i)) return -1;
    for (let k = 0; k < 3; k++) if (burst.u16(i, at + 2 * k) !== ETHERNET_IPV4[k]) return -1;
    return at;
  },

  /** One of {@linkcode ARP}, or another number. */
  operation: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u16(i, at + 6);
  },

  /** Address of the sender. */
  senderIp: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u32(i, at + 14);
  },

  /** Address that is asked for, or of the station that is answered. */
  targetIp: (burst: FrameBurst, i: number, at: number): number => {
    return burst.u32(i, at + 24);
  },

  /**
   * Turn a request into the reply that the target is the station `mac`, Ethernet header included.
   */
  reply: (burst: FrameBurst, i: number, at: number, mac: Uint8Array): void => {
    const target = arp.targetIp(burst, i, at);
    burst.setU16(i, at + 6, ARP.REPLY);
    for (let k = 0; k < 10; k += 2) burst.setU16(i, at + 18 + k, burst.u16(i, at + 8 + k));
    for (let k = 0; k < 6; k++) burst.setU8(i, at + 8 + k, mac[k]);
    burst.setU32(i, at + 14, target);
    ethernet.swap(burst, i);
    ethernet.setSource(burst, i, mac);
  },
} as const;
