import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { frameOf, metadataOf, NEEDS_CSUM, type Packet, PLAIN, TCP, TYPE } from "./packets.ts";
import { memory, mempool, OVERFLOW_BYTES, Received, STRIDE } from "./received.ts";

/** A super-frame that `change` spoils is refused, and nothing is touched. */
function checkRefused(
  name: string,
  packet: Packet,
  meta: { offload?: number; checksum?: number; length?: number; size?: number; room?: number },
  change: (frame: DataView) => void = () => {},
): void {
  const frame = frameOf(packet, false);
  change(new DataView(frame.buffer));
  using received = new Received(frame, meta.room);
  const before = memory.u8.slice();
  const slots = received.slots.words.slice();
  const available = mempool.available;
  const all = { ...metadataOf(packet, meta.size ?? 1448), ...meta };
  strictEqual(received.begin(all, meta.length), false, name);
  strictEqual(received.superFrame.pending, 0, name);
  strictEqual(received.take(), undefined, name);
  strictEqual(mempool.available, available, name);
  deepStrictEqual(received.slots.words.slice(), slots, name);
  ok(before.every((byte, i) => byte === memory.u8[i]), name);
}

Deno.test("SuperFrame.begin() refuses meta that do not fit the frame, and touches nothing", () => {
  const { offload, checksum } = metadataOf(PLAIN, 1448);
  const typed = (type: number) => ({ offload: 1448 << 16 | type << 8 | NEEDS_CSUM });
  checkRefused("segments of 0 bytes", PLAIN, { offload: offload & 0xffff });
  checkRefused("UFO", PLAIN, typed(TYPE.UDP));
  checkRefused("no type", PLAIN, typed(0));
  checkRefused("a type of the future", PLAIN, typed(0x20 | TYPE.TCPV4));
  checkRefused("IPv6's type on IPv4", PLAIN, typed(TYPE.TCPV6));
  checkRefused("IPv4's type on IPv6", { ...PLAIN, version: 6 }, typed(TYPE.TCPV4));
  checkRefused("UDP's type on TCP", PLAIN, typed(TYPE.UDP_L4));
  for (const start of [0, 14, 33, 35, 38, 54, 250, 256, 4000, 0xffff]) {
    checkRefused(`a sum from ${start}`, PLAIN, { checksum: TCP.checksum << 16 | start });
  }
  for (const offset of [0, 6, 15, 17, 0xffff]) {
    const other = (offset << 16 | checksum & 0xffff) >>> 0;
    checkRefused(`a checksum at ${offset}`, PLAIN, { checksum: other });
  }
});

Deno.test("SuperFrame.begin() refuses lengths that do not fit, and touches nothing", () => {
  checkRefused("longer than IPv4 says", PLAIN, { length: 5067 });
  checkRefused("shorter than IPv4 says", PLAIN, { length: 5000 });
  checkRefused("longer than IPv6 says", { ...PLAIN, version: 6 }, { length: 6000 });
  checkRefused("no bytes", PLAIN, { length: 0 });
  checkRefused("headers not in the mbuf", PLAIN, { room: 65 });
  checkRefused("segments longer than an mbuf", PLAIN, { size: STRIDE - HEADROOM_BYTES - 65 });
  const payload = new Uint8Array(STRIDE - HEADROOM_BYTES + OVERFLOW_BYTES - 65);
  checkRefused("more than the overflow holds", { ...PLAIN, payload }, {});
  checkRefused("an IPv4 header of 16 bytes", PLAIN, {}, (view) => view.setUint8(14, 0x44));
  const from30 = { checksum: TCP.checksum << 16 | 30 };
  checkRefused("an IPv4 header of 16 bytes, as the meta say", PLAIN, from30, (view) => {
    view.setUint8(14, 0x44);
    view.setUint8(42, 0x50);
  });
  checkRefused("an IPv4 header of 24 bytes", PLAIN, {}, (view) => view.setUint8(14, 0x46));
  checkRefused("version 5", PLAIN, {}, (view) => view.setUint8(14, 0x55));
  checkRefused("UDP in IPv4", PLAIN, {}, (view) => view.setUint8(23, 17));
  const ipv6: Packet = { ...PLAIN, version: 6 };
  checkRefused("version 4 in IPv6", ipv6, {}, (view) => view.setUint8(14, 0x4a));
  checkRefused("UDP in IPv6", ipv6, {}, (view) => view.setUint8(20, 17));
  checkRefused("4 bytes of options in IPv6", { ...ipv6, options: new Uint8Array(4) }, {});
  checkRefused("ARP", PLAIN, {}, (view) => view.setUint16(12, 0x0806));
  checkRefused("a TCP header of 16 bytes", PLAIN, {}, (view) => view.setUint8(46, 0x40));
  const three = { ...PLAIN, tags: [0x81000001, 0x81000002, 0x81000003] };
  checkRefused("three tags", three, {});
  const short = { ...PLAIN, payload: new Uint8Array(0) };
  checkRefused("a TCP header past the end", short, {}, (view) => view.setUint8(46, 0xf0));
});
