import { dataWord } from "../../mempool/mbuf.ts";
import type { Burst } from "../../ring/burst.ts";
import type { GuestLane } from "../guest_lane.ts";

const HEADERS_BYTES = 42;

/**
 * testpmd `txonly`: as many frames as the host lends mbufs for. They are UDP from 198.18.0.1 to
 * 198.18.0.2 (RFC 2544), port 9 to 9, zeros behind; what is received is dropped.
 */
export function txonly(burst: Burst, count: number, lane: GuestLane): number {
  lane.from.drop(burst, count);
  const n = lane.from.allocBurst(burst, burst.capacity);
  const { words } = burst;
  const template = templateOf(lane);
  for (let i = 0; i < n; i++) {
    const word1 = dataWord(words[(i << 1) + 1] & 0xffff, lane.txBytes);
    words[(i << 1) + 1] = word1;
    write(lane, lane.mbufs.frameByte(words[i << 1], word1), template);
  }
  return n;
}

const templates = new WeakMap<GuestLane, Uint8Array>();

function write(lane: GuestLane, frame: number, template: Uint8Array): void {
  const { u8 } = lane.mbufs;
  for (let k = 0; k < HEADERS_BYTES; k++) u8[frame + k] = template[k];
  u8.fill(0, frame + HEADERS_BYTES, frame + lane.txBytes);
}

/** Ethernet, IPv4 and UDP headers of a lane's frames. */
function templateOf(lane: GuestLane): Uint8Array {
  const known = templates.get(lane);
  if (known) return known;
  const bytes = new Uint8Array(HEADERS_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(new Uint8Array(lane.addresses.buffer));
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, lane.txBytes - 14);
  view.setUint16(22, 0x4011); // time to live 64, UDP
  view.setUint32(26, 0xc6120001);
  view.setUint32(30, 0xc6120002);
  view.setUint16(34, 9);
  view.setUint16(36, 9);
  view.setUint16(38, lane.txBytes - 34);
  let sum = 0;
  for (let k = 14; k < 34; k += 2) sum += view.getUint16(k);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(24, ~(sum + (sum >>> 16)));
  templates.set(lane, bytes);
  return bytes;
}
