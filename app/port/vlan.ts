import { FRAME_MIN_BYTES } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import { get16, swap16 } from "./checksum.ts";

/** Bytes of a VLAN tag: TPID and TCI (IEEE 802.1Q, 9.3). */
const TAG_BYTES = 4;

/** EtherTypes that are TPIDs: customer and service tag (IEEE 802.1Q, table 9-1). */
const TPID = { CUSTOMER: 0x8100, SERVICE: 0x88a8 } as const;

/** 16-bit words of the two MAC addresses that stay in front of the tag. */
const ADDRESS_WORDS = 6;

/**
 * Put the VLAN tag back that the kernel took out of a received frame: the MAC addresses move 4
 * bytes into the headroom, the tag comes behind them, as in Linux's `skb_vlan_push()`.
 *
 * A partial checksum is to be completed before: its meta count without the tag.
 *
 * @param burst Its descriptor number `i` is the frame's, and follows the change.
 * @param vlan TPID (16 bits) and TCI (16), as `struct rx_meta` in shim/burst.h has them.
 * @returns false, with nothing changed, if there is no headroom or no Ethernet header.
 */
export function insertTag(mbufs: Mbufs, burst: Burst, i: number, vlan: number): boolean {
  const { words } = burst;
  const data = words[(i << 1) + 1];
  const headroom = data & 0xffff;
  const length = data >>> 16;
  if (headroom < TAG_BYTES || length < FRAME_MIN_BYTES) return false;
  const u16 = mbufs.u16;
  let to = (mbufs.frameByte(words[i << 1], data) - TAG_BYTES) >>> 1;
  for (const end = to + ADDRESS_WORDS; to < end; to++) u16[to] = u16[to + TAG_BYTES / 2];
  u16[to] = swap16(vlan >>> 16);
  u16[to + 1] = swap16(vlan);
  words[(i << 1) + 1] = dataWord(headroom - TAG_BYTES, length + TAG_BYTES);
  return true;
}

/**
 * Where the header behind Ethernet's starts, and behind two tags at most, in bytes.
 *
 * @param frame Where the Ethernet header starts, in bytes.
 */
export function behindTags(bytes: Uint8Array, frame = 0): number {
  let type = frame + 12;
  for (let tags = 0; tags < 2; tags++, type += TAG_BYTES) {
    const found = get16(bytes, type);
    if (found !== TPID.CUSTOMER && found !== TPID.SERVICE) break;
  }
  return type + 2;
}
