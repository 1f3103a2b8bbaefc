import type { Mbufs } from "../../mempool/mbuf.ts";
import type { Burst } from "../../ring/burst.ts";
import type { GuestLane } from "../guest_lane.ts";
import { swapAddresses } from "../mac_address.ts";

const ETHER_HEADER = 14;
const ARP_BYTES = 28;
const TYPE = { ARP: 0x0806, IPV4: 0x0800 } as const;
const ARP = { OPERATION: 6, SENDER_MAC: 8, SENDER_IP: 14, TARGET_MAC: 18, TARGET_IP: 24 } as const;
const ICMP = { PROTOCOL: 1, ECHO_REPLY: 0, ECHO_REQUEST: 8 } as const;

/**
 * testpmd `icmpecho`: ARP requests and ICMP echo requests, for whatever address they are, are
 * answered by the port they came to; all else is dropped.
 */
export function icmpecho(burst: Burst, count: number, lane: GuestLane): number {
  let answers = 0;
  for (let i = 0; i < count; i++) {
    const to = answer(burst, i, lane) ? answers++ : i;
    if (to < i && to < answers) exchange(burst, to, i);
  }
  lane.from.drop(burst, count - answers, answers);
  return answers;
}

/** Answers move to the front, the others, still whole, behind them. */
function exchange(burst: Burst, a: number, b: number): void {
  const { words } = burst;
  for (let word = 0; word < 2; word++) {
    const kept = words[(a << 1) + word];
    words[(a << 1) + word] = words[(b << 1) + word];
    words[(b << 1) + word] = kept;
  }
}

function answer(burst: Burst, i: number, lane: GuestLane): boolean {
  const { u8 } = lane.mbufs;
  const { words } = burst;
  const frame = lane.mbufs.frameByte(words[i << 1], words[(i << 1) + 1]);
  const bytes = (words[(i << 1) + 1] >>> 16) - ETHER_HEADER;
  const type = u8[frame + 12] << 8 | u8[frame + 13];
  if (type === TYPE.ARP && bytes >= ARP_BYTES) return answerArp(burst, i, lane, frame);
  if (type === TYPE.IPV4 && bytes >= 28) return answerEcho(burst, i, lane.mbufs, frame, bytes);
  return false;
}

/** RFC 826: sender and target change places; the sender's hardware address is this port's. */
function answerArp(burst: Burst, i: number, lane: GuestLane, frame: number): boolean {
  const { u8 } = lane.mbufs;
  const arp = frame + ETHER_HEADER;
  if (u8[arp + ARP.OPERATION] !== 0 || u8[arp + ARP.OPERATION + 1] !== 1) return false;
  swapAddresses(lane.mbufs, burst, i);
  u8[arp + ARP.OPERATION + 1] = 2;
  for (let k = 0; k < 10; k++) { // MAC and IP address of one side, 10 bytes
    const sender = u8[arp + ARP.SENDER_MAC + k];
    u8[arp + ARP.SENDER_MAC + k] = u8[arp + ARP.TARGET_MAC + k];
    u8[arp + ARP.TARGET_MAC + k] = sender;
  }
  const { mac } = lane.from;
  for (let k = 0; k < 6; k++) u8[frame + 6 + k] = u8[arp + ARP.SENDER_MAC + k] = mac[k];
  return true;
}

/** RFC 792: addresses change places, type 8 becomes 0, and the checksum grows by as much. */
function answerEcho(
  burst: Burst,
  i: number,
  mbufs: Mbufs,
  frame: number,
  bytes: number,
): boolean {
  const { u8 } = mbufs;
  const ip = frame + ETHER_HEADER;
  const header = (u8[ip] & 15) << 2;
  const icmp = ip + header;
  const isRequest = header >= 20 && bytes >= header + 8 && u8[ip + 9] === ICMP.PROTOCOL &&
    u8[icmp] === ICMP.ECHO_REQUEST;
  if (!isRequest) return false;
  swapAddresses(mbufs, burst, i);
  for (let k = 12; k < 16; k++) {
    const source = u8[ip + k];
    u8[ip + k] = u8[ip + k + 4];
    u8[ip + k + 4] = source;
  }
  u8[icmp] = ICMP.ECHO_REPLY;
  const sum = (u8[icmp + 2] << 8 | u8[icmp + 3]) + (ICMP.ECHO_REQUEST << 8);
  const folded = (sum & 0xffff) + (sum >>> 16); // RFC 1624, for a word that shrinks by 0x0800
  u8[icmp + 2] = folded >>> 8;
  u8[icmp + 3] = folded;
  return true;
}
