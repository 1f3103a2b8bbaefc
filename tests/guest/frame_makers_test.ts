import { deepEqual, equal, throws } from "node:assert/strict";
import { TCP_FLAG } from "../../app/function.ts";
import { frame } from "../../app/testing.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();

/** The one's complement sum of 16-bit words: 0xffff where the checksum among them is right. */
function sum(...parts: Uint8Array[]): number {
  let total = 0;
  for (const part of parts) {
    part.forEach((byte, i) => total += i % 2 === 0 ? byte << 8 : byte);
  }
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

/** The pseudo-header of an IPv4 packet without options. */
function pseudo(bytes: Uint8Array): Uint8Array {
  const length = bytes.length - 34;
  return Uint8Array.of(...bytes.slice(26, 34), 0, bytes[23], length >> 8, length & 0xff);
}

Deno.test("frame.arp() is a request to all stations, byte by byte", () => {
  equal(
    hex(frame.arp()),
    "ffffffffffff" + "00005e005301" + "0806" + "0001" + "0800" + "0604" + "0001" +
      "00005e005301" + "c0000201" + "000000000000" + "c0000202",
  );
  const reply = frame.arp({
    ...{ operation: 2, source: "02:00:00:00:00:09", destination: "02:00:00:00:00:0a" },
    ...{ senderMac: "02:00:00:00:00:0b", targetMac: "02:00:00:00:00:0c" },
    ...{ senderIp: "10.0.0.1", targetIp: "10.0.0.2" },
  });
  equal(
    hex(reply),
    "02000000000a" + "020000000009" + "0806" + "0001" + "0800" + "0604" + "0002" +
      "02000000000b" + "0a000001" + "02000000000c" + "0a000002",
  );
});

Deno.test("frame.icmpEcho() is what ping sends, with both checksums", () => {
  const ping = frame.icmpEcho({ identifier: 0x1234, sequence: 7, payload: Uint8Array.of(1, 2, 3) });
  equal(hex(ping.slice(0, 24)), "00005e00530200005e00530108004500001f000040004001");
  equal(hex(ping.slice(26, 36)), "c0000201c00002020800");
  equal(hex(ping.slice(38)), "12340007" + "010203");
  equal(sum(ping.slice(14, 34)), 0xffff);
  equal(sum(ping.slice(34)), 0xffff);
  equal(frame.icmpEcho({ reply: true })[34], 0);
});

Deno.test("frame.udp() and frame.tcp() have checksums over a pseudo-header, of odd lengths too", () => {
  for (const bytes of [0, 1, 18, 1471]) {
    const payload = Uint8Array.from({ length: bytes }, (_, i) => i * 7);
    const udp = frame.udp({ payload, sourcePort: 1, destinationPort: 53 });
    const tcp = frame.tcp({ payload, sequence: 0xfffffffe, flags: TCP_FLAG.ACK });
    for (const made of [udp, tcp]) {
      equal(sum(made.slice(14, 34)), 0xffff);
      equal(sum(pseudo(made), made.slice(34)), 0xffff);
      deepEqual(made.slice(made.length - bytes), payload);
    }
    equal(udp.length, 42 + bytes);
    equal(hex(udp.slice(34, 38)), "00010035");
    equal(hex(tcp.slice(34, 50)), "c0000050" + "fffffffe" + "00000000" + "5010ffff");
  }
});

Deno.test("frame.vlan() tags a frame, and again; the untagged rest stays", () => {
  const arp = frame.arp();
  const tagged = frame.vlan(frame.vlan(arp, { id: 7, priority: 5 }), { id: 2, type: 0x88a8 });
  equal(hex(tagged.slice(12, 22)), "88a80002" + "8100a007" + "0806");
  deepEqual(tagged.slice(22), arp.slice(14));
  throws(() => frame.vlan(new Uint8Array(13), { id: 1 }), /a frame of 13 bytes: 14 or more/);
});

Deno.test("frame.ethernet() and frame.ipv4() carry what they are given", () => {
  const payload = Uint8Array.of(1, 2);
  equal(hex(frame.ethernet({ type: 0x1234, payload })), "00005e00530200005e00530112340102");
  equal(frame.ethernet().length, 60);
  const packet = frame.ipv4({ protocol: 17, ttl: 3, sourceIp: "10.1.2.3", payload });
  equal(hex(packet.slice(14, 24)), "45000016000040000311");
  equal(hex(packet.slice(26)), "0a010203c00002020102");
});

Deno.test("frame makers refuse what is no address, and what is too long", () => {
  throws(() => frame.arp({ source: "02:00" }), /Cannot use "02:00" as a MAC address/);
  throws(() => frame.udp({ sourceIp: "10.0.0.256" }), /"10.0.0.256" as an IPv4 address/);
  throws(() => frame.ethernet({ payload: new Uint8Array(65_536) }), /a frame of 65550 bytes/);
});
