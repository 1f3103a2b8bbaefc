import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { SuperFrame } from "../../app/port/super_frame.ts";
import { Burst } from "../../app/ring/burst.ts";
import {
  ACK,
  CWR,
  FIN,
  frameOf,
  metadataOf,
  NEEDS_CSUM,
  type Packet,
  PLAIN,
  PSH,
  segmentsOf,
  slowSum,
  TCP,
  TYPE,
  UDP,
} from "./packets.ts";

const STRIDE = 2368;
const COUNT = 64;
const OVERFLOW_BYTES = 1 << 18;
const SLOT = 2; // of the received burst, so that its overflow is not at 0

const memory = MappedMemory.ofProcess(COUNT * STRIDE);
const mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: COUNT });
const mempool = Mempool.create(COUNT, 0);
const room = MappedMemory.ofProcess((SLOT + 1) * OVERFLOW_BYTES);
const overflow = room.u8;

/** A super-frame received into slot SLOT of a burst. At its end no mbuf may be missing. */
class Received {
  readonly superFrame = new SuperFrame(mbufs, room, OVERFLOW_BYTES);
  readonly slots = Burst.of(SLOT + 1);
  readonly burst = Burst.of(COUNT);

  constructor(readonly frame: Uint8Array, mbufBytes = STRIDE - HEADROOM_BYTES) {
    mempool.allocBulk(this.slots, SLOT + 1);
    const length = Math.min(frame.length, mbufBytes);
    const word1 = this.slots.words[2 * SLOT + 1] = dataWord(HEADROOM_BYTES, length);
    memory.u8.fill(0xee);
    memory.u8.set(frame.subarray(0, length), mbufs.frameByte(this.slots.words[2 * SLOT], word1));
    overflow.fill(0xdd, SLOT * OVERFLOW_BYTES);
    overflow.set(frame.subarray(length, length + OVERFLOW_BYTES), SLOT * OVERFLOW_BYTES);
  }

  [Symbol.dispose](): void {
    mempool.free(this.slots, SLOT + 1);
    strictEqual(mempool.available, COUNT);
  }

  begin(meta: { offload: number; checksum: number }, length = this.frame.length): boolean {
    const { words } = this.slots;
    const [word0, word1] = [words[2 * SLOT], words[2 * SLOT + 1]];
    const { offload, checksum } = meta;
    return this.superFrame.begin(word0, word1, length, offload, checksum, SLOT * OVERFLOW_BYTES);
  }

  /** The next segment's bytes, copied out and its mbuf freed; undefined if there is none. */
  take(): Uint8Array | undefined {
    if (!this.superFrame.next(this.burst, 1, mempool)) return undefined;
    const start = mbufs.frameByte(this.burst.words[2], this.burst.words[3]);
    const bytes = memory.u8.slice(start, start + (this.burst.words[3] >>> 16));
    strictEqual(this.burst.words[3] & 0xffff, HEADROOM_BYTES);
    mempool.free(this.burst, 1, 1);
    return new Uint8Array(bytes);
  }
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes ? bytes.toHex() : "none";
}

function checkSegments(packet: Packet, size: number, room?: number, wanted = packet): void {
  using received = new Received(frameOf(packet, false), room);
  const segments = segmentsOf(wanted, size);
  ok(received.begin(metadataOf(packet, size)), "understood");
  strictEqual(received.superFrame.segmentBytes, segments[0].length);
  segments.forEach((segment, i) => {
    strictEqual(received.superFrame.pending, segments.length - i);
    strictEqual(hex(received.take()), hex(segment), `segment ${i} of ${segments.length}`);
  });
  strictEqual(received.superFrame.pending, 0);
  strictEqual(received.take(), undefined);
}

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

Deno.test("SuperFrame keeps the checksum right of a packet with a routing header", () => {
  const options = Uint8Array.of(0, 2, 4, 1, 0, 0, 0, 0, ...new Uint8Array(16).fill(0x20));
  const target = new Uint8Array(16).fill(0x20);
  checkSegments({ ...PLAIN, version: 6, options, optionsType: 43, target }, 1400);
});

Deno.test("SuperFrame makes one frame of what fits in one segment", () => {
  for (const length of [0, 1, 100, 1448]) {
    checkSegments({ ...PLAIN, payload: PLAIN.payload.subarray(0, length) }, 1448);
  }
});

Deno.test("SuperFrame writes a UDP checksum of 0 as 0xffff, and a TCP one as it is", () => {
  for (const [protocol, wanted] of [[UDP, 0xffff], [TCP, 0]] as const) {
    const payload = new Uint8Array(2000).fill(1);
    const packet = { ...PLAIN, protocol, payload };
    payload.fill(0, 998, 1000);
    const at = 34 + protocol.checksum;
    const first = segmentsOf(packet, 1000)[0];
    payload.set(first.subarray(at, at + 2), 998);
    using received = new Received(frameOf(packet, false));
    ok(received.begin(metadataOf(packet, 1000)));
    strictEqual(new DataView(received.take()!.buffer).getUint16(at), wanted);
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
  for (const segment of segments.slice(2)) strictEqual(hex(received.take()), hex(segment));
  strictEqual(superFrame.pending, 0);
});

Deno.test("SuperFrame.begin() after a super-frame that was given up starts afresh", () => {
  using received = new Received(frameOf(PLAIN, false));
  ok(received.begin(metadataOf(PLAIN, 1000)));
  received.take();
  ok(received.begin(metadataOf(PLAIN, 1448)));
  for (const segment of segmentsOf(PLAIN, 1448)) strictEqual(hex(received.take()), hex(segment));
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
  const start = mbufs.frameByte(received.slots.words[2 * SLOT], received.slots.words[2 * SLOT + 1]);
  memory.u8.fill(0xff, start, start + 66);
  for (const segment of segmentsOf(PLAIN, 1448)) strictEqual(hex(received.take()), hex(segment));
});

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

for (const version of [4, 6] as const) {
  for (const protocol of [TCP, UDP]) {
    const what = `IPv${version} ${protocol === TCP ? "TCP" : "UDP"}`;
    const packet = { ...PLAIN, version, protocol };
    const sizes = metadataOf(packet, 1448);

    Deno.test(`SuperFrame of ${what} makes checksums anew where the partial one is another's`, () => {
      // Fraglist GRO leaves the sum of the first of many packets, a NIC none that means anything.
      for (const field of [0, 0x1234, 0xffff]) {
        const frame = frameOf(packet, false);
        const at = (sizes.checksum & 0xffff) + protocol.checksum;
        frame[at] = field >>> 8;
        frame[at + 1] = field;
        using received = new Received(frame);
        ok(received.begin(sizes));
        for (const segment of segmentsOf(packet, 1448)) {
          strictEqual(hex(received.take()), hex(segment));
        }
      }
    });

    Deno.test(`SuperFrame cuts ${what} that a NIC has merged and does not ask to be completed`, () => {
      using received = new Received(frameOf(packet, true));
      ok(received.begin({ offload: (sizes.offload & ~NEEDS_CSUM) >>> 0, checksum: 0 }));
      for (const segment of segmentsOf(packet, 1448)) {
        strictEqual(hex(received.take()), hex(segment));
      }
    });
  }
}

/** A segment routing header (RFC 8754) with one segment left: the final destination comes first. */
const ROUTED: Packet = {
  ...PLAIN,
  version: 6,
  optionsType: 43,
  options: Uint8Array.of(
    6,
    4,
    4,
    1,
    1,
    0,
    0,
    0,
    ...new Array(16).fill(0xaa),
    ...new Array(16).fill(1),
  ),
  target: new Uint8Array(16).fill(0xaa),
};

Deno.test("SuperFrame finds the final destination in a segment routing header", () => {
  const frame = frameOf(ROUTED, false);
  const { offload, checksum } = metadataOf(ROUTED, 1448);
  frame[(checksum & 0xffff) + TCP.checksum] ^= 0xff;
  using received = new Received(frame);
  ok(received.begin({ offload, checksum }));
  for (const segment of segmentsOf(ROUTED, 1448)) strictEqual(hex(received.take()), hex(segment));
});

const TUNNELS = { vxlan: 4789, geneve: 6081 } as const;

/** A frame in a UDP tunnel over IPv4, field by field. */
function inTunnel(kind: keyof typeof TUNNELS, frame: Uint8Array, id: number, hasChecksum: boolean) {
  const bytes = 14 + 20 + 8 + 8 + frame.length;
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  out.set([2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2, 8, 0, 0x45]);
  view.setUint16(16, bytes - 14 > 0xffff ? 0 : bytes - 14);
  view.setUint16(18, id);
  out.set([0x40, 0, 64, 17], 20);
  out.set([198, 18, 0, 1, 198, 18, 0, 2], 26);
  view.setUint16(24, 0xffff - slowSum(out.subarray(14, 34)));
  view.setUint16(34, 50000);
  view.setUint16(36, TUNNELS[kind]);
  view.setUint16(38, bytes - 34 > 0xffff ? 0 : bytes - 34);
  out.set(kind === "vxlan" ? [8, 0, 0, 0, 0, 0, 7, 0] : [0, 0, 0x65, 0x58, 0, 0, 7, 0], 42);
  out.set(frame, 50);
  if (hasChecksum) {
    const pseudo = Uint8Array.of(0, 17, (bytes - 34) >>> 8, bytes - 34);
    view.setUint16(40, 0xffff - slowSum(out.subarray(26, 34), pseudo, out.subarray(34)) || 0xffff);
  }
  return out;
}

for (const kind of ["vxlan", "geneve"] as const) {
  for (const hasChecksum of [false, true]) {
    for (const packet of [PLAIN, { ...PLAIN, version: 6 as const }, { ...PLAIN, protocol: UDP }]) {
      const what = `IPv${packet.version} ${packet.protocol === TCP ? "TCP" : "UDP"}`;
      Deno.test(`SuperFrame cuts ${what} in ${kind}, ${hasChecksum ? "with" : "without"} outer checksum`, () => {
        const { offload, checksum } = metadataOf(packet, 1448);
        const outer = inTunnel(kind, frameOf(packet, false), 0xffff, false);
        if (hasChecksum) outer.set([0x12, 0x34], 40); // of the super-frame, which nobody has
        using received = new Received(outer);
        ok(received.begin({ offload, checksum: checksum + 50 }), "understood");
        segmentsOf(packet, 1448).forEach((segment, i) => {
          const wanted = inTunnel(kind, segment, (0xffff + i) & 0xffff, hasChecksum);
          strictEqual(hex(received.take()), hex(wanted), `segment ${i}`);
        });
      });
    }
  }
}

/** A frame inside a tunnel over IPv4: of its bytes from `skipped` on, behind `header`. */
function overIpv4(
  frame: Uint8Array,
  id: number,
  { protocol, header, skipped }: { protocol: number; header: readonly number[]; skipped: number },
): Uint8Array {
  const bytes = 34 + header.length + frame.length - skipped;
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  out.set([2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2, 8, 0, 0x45]);
  view.setUint16(16, bytes - 14);
  view.setUint16(18, id);
  out.set([0x40, 0, 64, protocol], 20);
  out.set([198, 18, 0, 1, 198, 18, 0, 2], 26);
  view.setUint16(24, 0xffff - slowSum(out.subarray(14, 34)));
  out.set(header, 34);
  out.set(frame.subarray(skipped), 34 + header.length);
  return out;
}

for (
  const [what, packet, protocol, header, skipped] of [
    ["TCP in GRE", PLAIN, 47, [0, 0, 0x65, 0x58], 0],
    ["TCP in GRE with a key", PLAIN, 47, [0x20, 0, 0x65, 0x58, 0, 0, 0, 9], 0],
    ["TCP in IPv4 in GRE", PLAIN, 47, [0, 0, 8, 0], 14],
    ["TCP in IPv4", PLAIN, 4, [], 14],
    ["TCP in IPv6", { ...PLAIN, version: 6 as const }, 41, [], 14],
  ] as const
) {
  Deno.test(`SuperFrame cuts ${what} over IPv4`, () => {
    const tunnel = { protocol, header, skipped };
    const { offload, checksum } = metadataOf(packet, 1448);
    using received = new Received(overIpv4(frameOf(packet, false), 1, tunnel));
    const moved = 34 + header.length - skipped;
    ok(received.begin({ offload, checksum: checksum + moved }), "understood");
    segmentsOf(packet, 1448).forEach((segment, i) => {
      strictEqual(hex(received.take()), hex(overIpv4(segment, 1 + i, tunnel)), `segment ${i}`);
    });
  });
}

Deno.test("SuperFrame in one mbuf may pass whole, but not in a tunnel: its outer sums are to be made", () => {
  const short = { ...PLAIN, payload: PLAIN.payload.subarray(0, 1500) };
  const { offload, checksum } = metadataOf(short, 700);
  const frame = frameOf(short, false);
  for (const [whole, before] of [[frame, 0], [inTunnel("vxlan", frame, 1, false), 50]] as const) {
    using received = new Received(whole);
    ok(received.begin({ offload, checksum: checksum + before }), "understood");
    strictEqual(received.superFrame.mayPass(), before === 0);
  }
});

Deno.test("SuperFrame says of one in a tunnel that it does not know that it is in a tunnel", () => {
  const { offload, checksum } = metadataOf(PLAIN, 1448);
  const frame = inTunnel("vxlan", frameOf(PLAIN, false), 1, false);
  frame[37] ^= 1; // another UDP port
  using received = new Received(frame);
  strictEqual(received.begin({ offload, checksum: checksum + 50 }), false);
  ok(received.superFrame.isTunnel);
});
