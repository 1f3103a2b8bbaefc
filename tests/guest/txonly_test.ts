import { deepEqual, equal } from "node:assert/strict";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { GuestLab, macOf, someFrame } from "./guest_lab.ts";
import { slowSum } from "../kit/slow_checksum.ts";
import { burstOf } from "../kit/burst_of.ts";

/** The host lends `count` empty mbufs, full of old bytes. */
function lendEmpties(lab: GuestLab, count: number, port = 0): void {
  lab.mbufs.u8.fill(0xee, lab.mbufs.offset, lab.mbufs.offset + lab.mbufs.stride * count);
  const empties = Array.from({ length: count }, (_, index) => [index, dataWord(128, 0)]);
  equal(lab.host[port].lend.enqueueBulk(burstOf(empties.flat()), count), count);
}

for (const bytes of [60, 64, 1000, 1514]) {
  Deno.test(`txonly makes UDP frames of ${bytes} bytes in mbufs that the host lends`, async () => {
    using lab = new GuestLab();
    lendEmpties(lab, 3);
    const [ip, udp] = [bytes - 14, bytes - 34];
    const header = [
      ...[0x45, 0, ip >>> 8, ip & 0xff, 0, 0, 0x40, 0, 64, 17],
      ...[0, 0, 198, 18, 0, 1, 198, 18, 0, 2],
    ];
    const frames = await lab.through("txonly", [], { set: { bytes: `${bytes}` } });
    equal(frames.length, 3);
    for (const frame of frames) {
      equal(slowSum(frame.subarray(14, 34)), 0xffff, "IPv4 checksum");
      frame[24] = frame[25] = 0;
      deepEqual(
        frame,
        Uint8Array.of(
          ...[2, 0, 0, 0, 0, 0, ...macOf(0), 0x08, 0x00, ...header],
          ...[0, 9, 0, 9, udp >>> 8, udp & 0xff, 0, 0, ...new Uint8Array(bytes - 42)],
        ),
      );
    }
    for (let i = 0; i < 3; i++) {
      equal(lab.mbufs.u8[lab.mbufs.frameByte(i, 128) + bytes], 0xee, "and not a byte more");
    }
  });
}

Deno.test("txonly makes two bursts at most, and nothing when the host lends nothing", async () => {
  using lab = new GuestLab({ ringSize: 128 });
  lendEmpties(lab, 100);
  const counts = [];
  for (let turn = 0; turn < 3; turn++) counts.push((await lab.through("txonly", [])).length);
  deepEqual(counts, [64, 36, 0]);
});

Deno.test("txonly drops what it receives, and gives the mbufs back", async () => {
  using lab = new GuestLab();
  deepEqual(await lab.through("txonly", [someFrame(60), someFrame(61)]), []);
  deepEqual(lab.givenBack(), [0, 1]);
});

Deno.test("txonly writes each port's own addresses", async () => {
  using lab = new GuestLab({ ports: 2 });
  for (const port of [0, 1, 0]) {
    lendEmpties(lab, 1, port);
    const [frame] = await lab.through("txonly", [], { from: port });
    deepEqual([...frame.subarray(0, 12)], [2, 0, 0, 0, 0, port, ...macOf(port)]);
  }
});
