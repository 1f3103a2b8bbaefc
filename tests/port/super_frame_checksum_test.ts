import { ok, strictEqual } from "node:assert/strict";
import {
  frameOf,
  metadataOf,
  NEEDS_CSUM,
  type Packet,
  PLAIN,
  segmentsOf,
  TCP,
  UDP,
} from "./packets.ts";
import { checkSegments, Received } from "./received.ts";

Deno.test("SuperFrame keeps the checksum right of a packet with a routing header", () => {
  const options = Uint8Array.of(0, 2, 4, 1, 0, 0, 0, 0, ...new Uint8Array(16).fill(0x20));
  const target = new Uint8Array(16).fill(0x20);
  checkSegments({ ...PLAIN, version: 6, options, optionsType: 43, target }, 1400);
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
        received.yields(segmentsOf(packet, 1448));
      }
    });

    Deno.test(`SuperFrame cuts ${what} that a NIC has merged and does not ask to be completed`, () => {
      using received = new Received(frameOf(packet, true));
      ok(received.begin({ offload: (sizes.offload & ~NEEDS_CSUM) >>> 0, checksum: 0 }));
      received.yields(segmentsOf(packet, 1448));
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
  received.yields(segmentsOf(ROUTED, 1448));
});
