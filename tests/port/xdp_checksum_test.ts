import { deepEqual, equal } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { crc32c } from "../../app/port/crc32c.ts";
import { finishPartialChecksum } from "../../app/port/xdp_checksum.ts";
import { Random } from "../kit/random.ts";
import { slowSum } from "../kit/slow_checksum.ts";

const TCP = 6, UDP = 17, SCTP = 132, GRE = 47;
const CHECKSUM_AT: Record<number, number> = { [TCP]: 16, [UDP]: 6, [SCTP]: 8 };

/** A packet, and what is in front of it. */
interface Packet {
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly tags?: readonly number[];
  /** Bytes of IPv4 options. */
  readonly options?: number;
  /** Flags and fragment offset of IPv4. */
  readonly fragment?: number;
  /** The header behind IP's, and the payload. */
  readonly content: Uint8Array;
  /** Bytes behind the packet. */
  readonly padding?: number;
}

/** The IP packet with its checksum finished, or as a sender leaves it to a NIC. */
function ipPacket(packet: Packet, isPartial: boolean): Uint8Array {
  const { version, protocol, options = 0, fragment = 0, content } = packet;
  const start = version === 4 ? 20 + options : 40;
  const bytes = new Uint8Array(start + content.length);
  const view = new DataView(bytes.buffer);
  const addresses = version === 4 ? bytes.subarray(12, 20) : bytes.subarray(8, 40);
  addresses.forEach((_, i) => addresses[i] = 13 * i + 10);
  if (version === 4) {
    bytes.set([0x40 | start / 4, 0, bytes.length >> 8, bytes.length & 0xff]);
    view.setUint16(6, fragment);
    bytes.set([64, protocol], 8);
  } else {
    bytes.set([0x60, 0, 0, 0, content.length >> 8, content.length & 0xff, protocol, 64]);
  }
  bytes.set(content, start);
  const at = start + CHECKSUM_AT[protocol];
  if (protocol === SCTP) {
    view.setUint32(at, 0);
    if (!isPartial) view.setUint32(at, crc32c(bytes, start, bytes.length), true);
  } else if (CHECKSUM_AT[protocol]) {
    const pseudoHeader = slowSum(addresses, Uint8Array.of(0, protocol)) + content.length;
    const partial = (pseudoHeader & 0xffff) + (pseudoHeader >> 16);
    view.setUint16(at, partial);
    if (!isPartial) view.setUint16(at, ~slowSum(bytes.subarray(start)) & 0xffff || 0xffff);
  }
  return bytes;
}

function frameOf(packet: Packet, isPartial: boolean): Uint8Array {
  const { version, tags = [], padding = 0 } = packet;
  const ip = ipPacket(packet, isPartial);
  const network = 14 + 4 * tags.length;
  const frame = new Uint8Array(network + ip.length + padding);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
  tags.forEach((tag, i) => view.setUint32(12 + 4 * i, tag));
  view.setUint16(network - 2, version === 4 ? 0x0800 : 0x86dd);
  frame.set(ip, network);
  frame.fill(0xdd, network + ip.length);
  return frame;
}

const random = new Random(1);
const bytesOf = (n: number) => Uint8Array.from({ length: n }, () => random.below(256));

const memory = MappedMemory.ofProcess(1 << 16);
const mbufs = new Mbufs(memory, { offset: 0, stride: 4096, count: 16 });

/** The frame after it was looked at. */
function looked(frame: Uint8Array, at = 4096 + 256): Uint8Array {
  memory.u8.fill(0xee);
  memory.u8.set(frame, at);
  finishPartialChecksum(mbufs, at, frame.length);
  equal(memory.u8[at - 1], 0xee);
  equal(memory.u8[at + frame.length], 0xee);
  return memory.u8.slice(at, at + frame.length);
}

const KINDS: readonly { what: string; packet: Omit<Packet, "content"> }[] = [
  { what: "TCP over IPv4", packet: { version: 4, protocol: TCP } },
  { what: "UDP over IPv4", packet: { version: 4, protocol: UDP } },
  { what: "SCTP over IPv4", packet: { version: 4, protocol: SCTP } },
  { what: "TCP over IPv6", packet: { version: 6, protocol: TCP } },
  { what: "UDP over IPv6", packet: { version: 6, protocol: UDP } },
  { what: "SCTP over IPv6", packet: { version: 6, protocol: SCTP } },
  { what: "TCP behind IPv4 options", packet: { version: 4, protocol: TCP, options: 8 } },
  { what: "TCP behind a tag", packet: { version: 4, protocol: TCP, tags: [0x8100a064] } },
  {
    what: "UDP over IPv6 behind two tags",
    packet: { version: 6, protocol: UDP, tags: [0x88a80007, 0x81000008] },
  },
];

for (const { what, packet } of KINDS) {
  Deno.test(`finishPartialChecksum() finishes ${what}, and leaves what is finished`, () => {
    for (const length of [20, 21, 64, 333, 1400]) {
      const whole = { ...packet, content: bytesOf(length), padding: length % 3 };
      const finished = frameOf(whole, false);
      deepEqual(looked(frameOf(whole, true)), finished);
      deepEqual(looked(finished), finished);
    }
  });

  Deno.test(`finishPartialChecksum() leaves ${what} as it is if its lengths do not fit`, () => {
    const frame = frameOf({ ...packet, content: bytesOf(40) }, true);
    for (let cut = 1; cut < 60; cut++) {
      const short = frame.subarray(0, frame.length - cut);
      deepEqual(looked(short), short, `${cut} bytes are missing`);
    }
  });
}

Deno.test("finishPartialChecksum() leaves a finished checksum that looks partial", () => {
  for (const protocol of [TCP, UDP]) {
    const content = bytesOf(100);
    const packet: Packet = { version: 4, protocol, content };
    const partial = frameOf(packet, true);
    // The last two bytes make the right checksum the same as the pseudo-header's sum.
    const field = 34 + CHECKSUM_AT[protocol];
    content.fill(0, 98);
    const zeroed = frameOf(packet, true);
    const rest = slowSum(zeroed.subarray(34));
    const sum = (partial[field] << 8 | partial[field + 1]) ^ 0xffff;
    const last = (sum - rest + 2 * 0xffff) % 0xffff;
    content.set([last >> 8, last & 0xff], 98);
    deepEqual(frameOf(packet, true), frameOf(packet, false));
    deepEqual(looked(frameOf(packet, true)), frameOf(packet, false));
  }
});

Deno.test("finishPartialChecksum() leaves fragments, UDP without a checksum, and other protocols", () => {
  for (const fragment of [0x2000, 0x0001, 0x1fff]) {
    const frame = frameOf({ version: 4, protocol: UDP, content: bytesOf(64), fragment }, true);
    deepEqual(looked(frame), frame);
    const tcp = frameOf({ version: 4, protocol: TCP, content: bytesOf(64), fragment }, true);
    deepEqual(looked(tcp), tcp);
  }
  const udp = frameOf({ version: 4, protocol: UDP, content: bytesOf(64) }, true);
  udp.fill(0, 40, 42);
  deepEqual(looked(udp), udp);
  for (const protocol of [1, 47, 50]) {
    const frame = frameOf({ version: 4, protocol, content: bytesOf(64) }, true);
    deepEqual(looked(frame), frame);
  }
});

Deno.test("finishPartialChecksum() finishes what is in a tunnel: VXLAN, GRE", () => {
  const inner: Packet = { version: 4, protocol: TCP, content: bytesOf(200) };
  const make = (isPartial: boolean) => [
    frameOf({
      version: 4,
      protocol: UDP,
      content: new Uint8Array([
        ...[0x12, 0x34, 4789 >> 8, 4789 & 0xff, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0],
        ...frameOf(inner, isPartial),
      ]),
    }, true),
    frameOf({
      version: 6,
      protocol: GRE,
      content: new Uint8Array([0, 0, 0x65, 0x58, ...frameOf(inner, isPartial)]),
    }, true),
  ];
  const [partial, finished] = [make(true), make(false)];
  partial[0].fill(0, 40, 42), finished[0].fill(0, 40, 42); // the tunnel has no checksum
  partial.forEach((frame, i) => deepEqual(looked(frame), finished[i]));
});

Deno.test("finishPartialChecksum() of random bytes behind any EtherType keeps within the frame", () => {
  for (let round = 0; round < 5000; round++) {
    const frame = bytesOf(15 + random.below(120));
    if (round % 2 === 0) frame.set(round % 4 === 0 ? [8, 0, 0x45] : [0x86, 0xdd, 0x60], 12);
    looked(frame);
  }
});
