import { ok, strictEqual } from "node:assert/strict";
import { frameOf, metadataOf, PLAIN, segmentsOf, TCP, UDP } from "./packets.ts";
import { slowSum } from "../kit/slow_checksum.ts";
import { Received } from "./received.ts";

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
        received.yields(
          segmentsOf(packet, 1448).map((segment, i) =>
            inTunnel(kind, segment, (0xffff + i) & 0xffff, hasChecksum)
          ),
        );
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
    received.yields(
      segmentsOf(packet, 1448).map((segment, i) => overIpv4(segment, 1 + i, tunnel)),
    );
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
