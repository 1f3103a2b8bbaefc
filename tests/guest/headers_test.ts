import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  arp,
  type Burst,
  ethernet,
  ETHERTYPE,
  formatIpv4,
  ICMP,
  icmp,
  internetChecksum,
  ipv4,
  ipv6,
  parseIpv4,
  parseIpv4Prefix,
  PROTOCOL,
  tcp,
  TCP_FLAG,
  udp,
  updateChecksum,
  updateChecksum32,
  vlan,
} from "../../app/function.ts";
import { GuestLab } from "./guest_lab.ts";
import { slowSum } from "../kit/slow_checksum.ts";

/** Let a function work on one frame; what is sent of it. */
async function worked(frame: Uint8Array, work: (burst: Burst) => void): Promise<Uint8Array> {
  using lab = new GuestLab();
  const [sent] = await lab.through({ default: work }, [frame]);
  return sent;
}

const MACS = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/** IPv4 with options, TCP or UDP, and a payload; all checksums right. */
function packet(
  protocol: number,
  payload: ArrayLike<number>,
  { tags = [] as number[], options = [] as number[] } = {},
): Uint8Array {
  const l4 = protocol === PROTOCOL.TCP ? 20 : 8;
  const bytes = 20 + options.length + l4 + payload.length;
  const ip = Uint8Array.of(
    ...[0x45 + options.length / 4, 0, bytes >>> 8, bytes, 0, 1, 0x40, 0, 64, protocol, 0, 0],
    ...[10, 1, 0, 1, 10, 2, 0, 2, ...options],
  );
  put(ip, 10, 0xffff - slowSum(ip));
  const segment = new Uint8Array(l4 + payload.length);
  segment.set([0x9c, 0x40, 0x01, 0xbb]);
  if (protocol === PROTOCOL.TCP) segment.set([0, 0, 1, 0, 0, 0, 0, 7, 0x50, 0x12, 1, 2], 4);
  else put(segment, 4, segment.length);
  segment.set(payload, l4);
  const field = protocol === PROTOCOL.TCP ? 16 : 6;
  put(segment, field, checksum(ip, protocol, segment) || 0xffff);
  const ether = [...MACS, ...tags.flatMap((tag) => [0x81, 0, tag >>> 8, tag]), 8, 0];
  return Uint8Array.of(...ether, ...ip, ...segment);
}

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** What the checksum field of a segment has to be: 0 where it is right already. */
function checksum(ip: Uint8Array, protocol: number, segment: Uint8Array): number {
  const pseudo = [...ip.slice(12, 20), 0, protocol, segment.length >>> 8, segment.length & 0xff];
  return 0xffff - slowSum(Uint8Array.of(...pseudo, ...segment));
}

/** Whether both checksums of a frame without tags and options are right. */
function assertSound(frame: Uint8Array): void {
  const ip = frame.slice(14, 34);
  equal(slowSum(ip), 0xffff, "IPv4 checksum");
  equal(checksum(ip, ip[9], frame.slice(34)) % 0xffff, 0, "transport checksum");
}

Deno.test("ethernet and vlan find their fields behind up to two tags, and change them", async () => {
  for (const tags of [[], [0xa064], [0xa064, 0x0065]]) {
    await worked(packet(PROTOCOL.UDP, [], { tags }), (burst) => {
      equal(ethernet.type(burst, 0), ETHERTYPE.IPV4);
      equal(ethernet.payload(burst, 0), 14 + 4 * tags.length);
      equal(ethernet.destination(burst, 0), 0x020000000001);
      equal(ethernet.source(burst, 0), 0x020000000002);
      equal(vlan.id(burst, 0), tags.length ? 0x64 : -1);
      equal(ipv4.at(burst, 0), 14 + 4 * tags.length);
    });
  }
  const plain = packet(PROTOCOL.UDP, [1, 2, 3]);
  const tagged = packet(PROTOCOL.UDP, [1, 2, 3], { tags: [0xa064] });
  deepEqual(await worked(plain, (burst) => equal(vlan.push(burst, 0, 0xa064), true)), tagged);
  deepEqual(await worked(tagged, (burst) => equal(vlan.pop(burst, 0), true)), plain);
  deepEqual(await worked(plain, (burst) => equal(vlan.pop(burst, 0), false)), plain);
  const other = packet(PROTOCOL.UDP, [1, 2, 3], { tags: [0xa0c8] });
  deepEqual(await worked(tagged, (burst) => vlan.setId(burst, 0, 200)), other);
  const swapped = await worked(plain, (burst) => ethernet.swap(burst, 0));
  deepEqual([...swapped.slice(0, 12)], [...MACS.slice(6), ...MACS.slice(0, 6)]);
});

for (const protocol of [PROTOCOL.TCP, PROTOCOL.UDP]) {
  const l4 = protocol === PROTOCOL.TCP ? tcp : udp;
  const name = protocol === PROTOCOL.TCP ? "TCP" : "UDP";
  Deno.test(`Setters of IPv4 and ${name} keep the checksums, whatever is set`, async () => {
    const payloads = fc.uint8Array({ maxLength: 60 });
    const [u32, u16, u8] = [2 ** 32 - 1, 2 ** 16 - 1, 255].map((max) => fc.nat(max));
    await fc.assert(
      fc.asyncProperty(payloads, u32, u32, u16, u16, u8, async (payload, a, b, c, d, ttl) => {
        const sent = await worked(packet(protocol, payload), (burst) => {
          const at = ipv4.at(burst, 0), segment = ipv4.payload(burst, 0, at);
          ipv4.setSource(burst, 0, at, a);
          ipv4.setDestination(burst, 0, at, b);
          ipv4.setTtl(burst, 0, at, ttl);
          l4.setSource(burst, 0, segment, c);
          l4.setDestination(burst, 0, segment, d);
          deepEqual(
            [ipv4.source(burst, 0, at), ipv4.destination(burst, 0, at), ipv4.ttl(burst, 0, at)],
            [a, b, ttl],
          );
          equal(l4.source(burst, 0, segment), c);
          equal(l4.destination(burst, 0, segment), d);
        });
        assertSound(sent);
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("UDP without a checksum stays without", async () => {
  const frame = packet(PROTOCOL.UDP, [1, 2, 3]);
  put(frame, 40, 0);
  const sent = await worked(frame, (burst) => {
    ipv4.setSource(burst, 0, 14, 0x0a000001);
    udp.setSource(burst, 0, 34, 53);
  });
  deepEqual([...sent.slice(40, 42)], [0, 0]);
});

Deno.test("ipv4 finds what a packet carries, and refuses what is none", async () => {
  await worked(packet(PROTOCOL.TCP, [9], { options: [1, 1, 1, 1] }), (burst) => {
    const at = ipv4.at(burst, 0);
    deepEqual([at, ipv4.headerBytes(burst, 0, at), ipv4.payload(burst, 0, at)], [14, 24, 38]);
    equal(ipv4.transport(burst, 0, at), PROTOCOL.TCP);
    equal(tcp.flags(burst, 0, 38), TCP_FLAG.SYN | TCP_FLAG.ACK);
    deepEqual([tcp.sequence(burst, 0, 38), tcp.acknowledgement(burst, 0, 38)], [256, 7]);
    equal(tcp.payload(burst, 0, 38), 58);
  });
  const spoil = (at: number, value: number) => packet(PROTOCOL.UDP, [1]).with(at, value);
  for (
    const frame of [spoil(14, 0x44), spoil(14, 0x65), spoil(17, 19), spoil(17, 60), spoil(12, 9)]
  ) {
    await worked(frame, (burst) => equal(ipv4.at(burst, 0), -1));
  }
  for (const [at, value] of [[21, 1], [17, 27]]) { // a later fragment; 7 bytes of UDP
    await worked(spoil(at, value), (burst) => equal(ipv4.transport(burst, 0, 14), -1));
  }
  equal(parseIpv4("10.1.0.255"), 0x0a0100ff);
  equal(formatIpv4(0xffa80001), "255.168.0.1");
  for (const text of ["10.1", "10.1.0.256", "a.b.c.d", "1..2.3", "1.2.3.4.5"]) {
    throws(() => parseIpv4(text), { name: "TypeError" });
  }
});

Deno.test("ipv6 walks extension headers to what the packet carries", async () => {
  const header = (next: number, bytes: number) => [
    ...[...MACS, 0x86, 0xdd, 0x60, 0, 0, 0, bytes >>> 8, bytes, next, 64],
    ...new Uint8Array(32).fill(0xfd),
  ];
  const udpBytes = [0, 53, 0, 53, 0, 8, 0, 1];
  const cases: [number[], number, number][] = [
    [[...header(17, 8), ...udpBytes], 17, 54],
    [[...header(0, 24), 60, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, ...udpBytes], 17, 70],
    [[...header(44, 16), 17, 0, 0, 1, 0, 0, 0, 1, ...udpBytes], 17, 62], // a first fragment
    [[...header(44, 16), 17, 0, 0, 8, 0, 0, 0, 1, ...udpBytes], -1, -1], // a later one
    [[...header(0, 16), 60, 5, 0, 0, 0, 0, 0, 0, ...udpBytes], -1, -1], // too long
    [[...header(17, 4), 0, 0, 0, 0], -1, 54],
  ];
  for (const [bytes, transport, payload] of cases) {
    const sent = await worked(Uint8Array.from(bytes), (burst) => {
      const at = ipv6.at(burst, 0);
      equal(at, 14);
      deepEqual([ipv6.transport(burst, 0, at), ipv6.payload(burst, 0, at)], [transport, payload]);
      ipv6.setHopLimit(burst, 0, at, ipv6.hopLimit(burst, 0, at) - 1);
    });
    equal(sent[21], 63);
  }
  const short = Uint8Array.from([...header(17, 9), ...udpBytes]);
  await worked(short, (burst) => equal(ipv6.at(burst, 0), -1));
});

Deno.test("icmp keeps its checksum, and can make it anew", async () => {
  const message = Uint8Array.of(8, 0, 0, 0, 0x12, 0x34, 0, 1, 5, 6, 7);
  put(message, 2, 0xffff - slowSum(message));
  const bytes = 20 + message.length;
  const ip = [0x45, 0, 0, bytes, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
  const frame = Uint8Array.of(...MACS, 8, 0, ...ip, ...message);
  const changed = await worked(frame, (burst) => {
    equal(icmp.type(burst, 0, 34), ICMP.ECHO_REQUEST);
    icmp.setType(burst, 0, 34, ICMP.ECHO_REPLY);
    icmp.setIdentifier(burst, 0, 34, 0xabcd);
  });
  equal(slowSum(changed.slice(34)), 0xffff);
  frame[40] = 99;
  const completed = await worked(frame, (burst) => icmp.complete(burst, 0, 34, message.length));
  equal(slowSum(completed.slice(34)), 0xffff);
});

Deno.test("arp refuses what is not for IPv4 over Ethernet", async () => {
  const request = Uint8Array.of(
    ...MACS,
    ...[8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
  );
  await worked(request, (burst) => {
    equal(arp.at(burst, 0), 14);
    deepEqual([arp.senderIp(burst, 0, 14), arp.targetIp(burst, 0, 14)], [0x0a000001, 0x0a000002]);
  });
  for (const frame of [request.with(15, 6), request.with(18, 8), request.slice(0, 41)]) {
    await worked(frame, (burst) => equal(arp.at(burst, 0), -1));
  }
});

Deno.test("updateChecksum() gives what a sum over the changed data would", () => {
  const words = fc.uint8Array({ minLength: 12, maxLength: 12 });
  fc.assert(fc.property(words, fc.nat(2), fc.nat(0xffff), fc.nat(0xffffffff), (bytes, at, a, b) => {
    const of = (data: Uint8Array) => 0xffff - slowSum(data);
    const view = (data: Uint8Array) => new DataView(data.buffer, data.byteOffset);
    const changed = bytes.slice();
    view(changed).setUint16(2 * at, a);
    const half = updateChecksum(of(bytes), view(bytes).getUint16(2 * at), a);
    equal(half % 0xffff, of(changed) % 0xffff);
    const before = view(changed).getUint32(8);
    view(changed).setUint32(8, b);
    equal(updateChecksum32(half, before, b) % 0xffff, of(changed) % 0xffff);
  }));
});

Deno.test("internetChecksum() agrees with RFC 1071, of an odd number of bytes too", async () => {
  const frame = Uint8Array.from({ length: 81 }, (_, i) => 255 - 3 * i);
  await worked(frame, (burst) => {
    for (const [at, length] of [[0, 81], [14, 67], [1, 4], [20, 0]]) {
      const wanted = 0xffff - slowSum(frame.slice(at, at + length));
      equal(internetChecksum(burst, 0, at, length) % 0xffff, wanted % 0xffff);
    }
  });
});

Deno.test("parseIpv4Prefix() reads a prefix, an address, and any; bits behind it are refused", () => {
  deepEqual(
    ["10.0.0.0/8", "192.0.2.1", "any", "0.0.0.0/0", "255.255.255.254/31"].map(parseIpv4Prefix),
    [
      { address: 0x0a000000, mask: 0xff000000, bits: 8 },
      { address: 0xc0000201, mask: 0xffffffff, bits: 32 },
      { address: 0, mask: 0, bits: 0 },
      { address: 0, mask: 0, bits: 0 },
      { address: 0xfffffffe, mask: 0xfffffffe, bits: 31 },
    ],
  );
  for (const text of ["10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "/8", "all", ""]) {
    throws(() => parseIpv4Prefix(text), TypeError, text);
  }
});
