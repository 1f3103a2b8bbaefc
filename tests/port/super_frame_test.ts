import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import {
  ACK,
  CWR,
  FIN,
  frameOf,
  metadataOf,
  type Packet,
  PLAIN,
  PSH,
  segmentsOf,
  TCP,
  UDP,
} from "./packets.ts";
import {
  checkSegments,
  COUNT,
  memory,
  mempool,
  OVERFLOW_BYTES,
  Received,
  STRIDE,
} from "./received.ts";

const bytesOf = (unit: number, max: number) =>
  fc.nat(max / unit).chain((n) => fc.uint8Array({ minLength: n * unit, maxLength: n * unit }));

/** Random packets; the payload is up to 40 segments long, and ends anywhere. */
const packets = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom(TCP, UDP),
  tags: fc.array(fc.nat(0xfff).map((tci) => 0x81000000 + tci), { maxLength: 2 }),
  tcpOptions: bytesOf(4, 40),
  id: fc.nat(0xffff),
  sequence: fc.nat(0xffffffff),
  flags: fc.nat(0xff),
  optionsType: fc.constantFrom(0, 43, 60),
  optionUnits: fc.nat(5),
  optionByte: fc.nat(0xff),
  payloadLength: fc.nat(60_000),
  seed: fc.nat(),
  size: fc.integer({ min: 1, max: 1448 }),
  room: fc.integer({ min: 256, max: STRIDE - HEADROOM_BYTES }),
}).map((r) => {
  const length = Math.min(r.payloadLength, 40 * r.size);
  const payload = new Uint8Array(length);
  for (let i = 0, x = r.seed; i < length; i++) payload[i] = (x = Math.imul(x, 69069) + 1) >>> 24;
  const options = new Uint8Array(r.optionUnits * (r.version === 4 ? 4 : 8)).fill(r.optionByte);
  if (r.version === 6 && options.length) {
    options[1] = r.optionUnits - 1;
    if (r.optionsType === 43) options[3] = 0; // routed to its end: what is left is in the IP header
  }
  return { packet: { ...r, options, payload }, size: r.size, room: r.room };
});

Deno.test("SuperFrame makes of any super-frame, byte for byte, what a NIC would send", () => {
  fc.assert(
    fc.property(packets, ({ packet, size, room }) => checkSegments(packet, size, room)),
    { numRuns: 300 },
  );
});

Deno.test("SuperFrame sends FIN and PSH last, CWR first, and lets sequence and ID wrap", () => {
  using received = new Received(frameOf(PLAIN, false));
  ok(received.begin(metadataOf(PLAIN, 1448)));
  const found = Array.from({ length: 4 }, () => {
    const view = new DataView(received.take()!.buffer);
    return [view.getUint16(18), view.getUint32(38), view.getUint8(47)];
  });
  deepStrictEqual(found, [
    [0xfffe, 0xffffff00, ACK | CWR],
    [0xffff, 0xffffff00 + 1448 - 2 ** 32, ACK],
    [0x0000, 0xffffff00 + 2896 - 2 ** 32, ACK],
    [0x0001, 0xffffff00 + 4344 - 2 ** 32, ACK | PSH | FIN],
  ]);
});

Deno.test("SuperFrame cuts into 750 segments, and more only if they are not tiny", () => {
  const table = [[60_000, 80, true], [60_001, 80, false], [60_000, 1, false], [100_000, 88, true]];
  for (const [bytes, size, isCut] of table as [number, number, boolean][]) {
    const packet: Packet = { ...PLAIN, version: 6, payload: new Uint8Array(bytes) };
    using received = new Received(frameOf(packet, false));
    strictEqual(received.begin(metadataOf(packet, size)), isCut, `${bytes} of ${size}`);
    strictEqual(received.superFrame.pending, isCut ? Math.ceil(bytes / size) : 0);
  }
});

Deno.test("SuperFrame cuts 64 KiB, all of it used, at every alignment of segments", () => {
  for (const size of [1448, 1447, 1446, 1445, 1460, 536, 2174]) {
    const payload = Uint8Array.from({ length: 65535 - 52 }, (_, i) => i * 31 + (i >> 7));
    checkSegments({ ...PLAIN, payload }, size);
  }
});

Deno.test("SuperFrame cuts BIG TCP, whose IP header says 0 bytes", () => {
  const payload = Uint8Array.from({ length: 200_001 }, (_, i) => i * 31 + (i >> 7));
  checkSegments({ ...PLAIN, payload }, 1448);
  checkSegments({ ...PLAIN, version: 6, payload }, 1428);
});

Deno.test("SuperFrame cuts what fills mbuf and overflow to the last byte", () => {
  const payload = new Uint8Array(STRIDE - HEADROOM_BYTES + OVERFLOW_BYTES - 66).fill(0xa5);
  checkSegments({ ...PLAIN, payload }, 1447);
});

Deno.test("SuperFrame takes the jumbo payload option of older kernels' BIG TCP out", () => {
  const payload = Uint8Array.from({ length: 150_000 }, (_, i) => i * 31 + (i >> 7));
  const options = Uint8Array.of(0, 0, 0xc2, 4, 0, 2, 0x49, 0xf0);
  const packet: Packet = { ...PLAIN, version: 6, payload, options, optionsType: 0 };
  checkSegments(packet, 1428, undefined, { ...packet, options: new Uint8Array(0) });
  checkSegments({ ...packet, optionsType: 60 }, 1428); // not a hop-by-hop header: it stays
});

Deno.test("SuperFrame makes one frame of what fits in one segment", () => {
  for (const length of [0, 1, 100, 1448]) {
    checkSegments({ ...PLAIN, payload: PLAIN.payload.subarray(0, length) }, 1448);
  }
});

Deno.test("SuperFrame.next() stops at an empty mempool, and goes on when there are mbufs", () => {
  using received = new Received(frameOf(PLAIN, false));
  const { superFrame, burst } = received;
  const segments = segmentsOf(PLAIN, 1000);
  const hoard = Burst.of(COUNT);
  const hoarded = mempool.allocBurst(hoard, mempool.available - 2);
  ok(received.begin(metadataOf(PLAIN, 1000)));
  ok(superFrame.next(burst, 0, mempool) && superFrame.next(burst, 1, mempool));
  const before = burst.words.slice();
  strictEqual(superFrame.next(burst, 2, mempool), false);
  strictEqual(superFrame.pending, 3, "to be dropped: this is not the end");
  deepStrictEqual(burst.words.slice(), before);
  mempool.free(hoard, hoarded);
  mempool.free(burst, 2);
  received.yields(segments.slice(2));
});

Deno.test("SuperFrame.begin() after a super-frame that was given up starts afresh", () => {
  using received = new Received(frameOf(PLAIN, false));
  ok(received.begin(metadataOf(PLAIN, 1000)));
  received.take();
  ok(received.begin(metadataOf(PLAIN, 1448)));
  received.yields(segmentsOf(PLAIN, 1448));
});

Deno.test("SuperFrame.begin() that refuses leaves nothing pending of the one before", () => {
  using received = new Received(frameOf(PLAIN, false));
  ok(received.begin(metadataOf(PLAIN, 1000)));
  strictEqual(received.begin(metadataOf(PLAIN, 0)), false);
  strictEqual(received.superFrame.pending, 0);
});

Deno.test("SuperFrame reads the headers once: what a guest writes there later is not seen", () => {
  using received = new Received(frameOf(PLAIN, false));
  ok(received.begin(metadataOf(PLAIN, 1448)));
  memory.u8.fill(0xff, received.start, received.start + 66);
  received.yields(segmentsOf(PLAIN, 1448));
});
