import { deepEqual, equal } from "node:assert/strict";
import { txonly } from "../../app/guest/functions/txonly.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { GuestLab, macOf, someFrame } from "./guest_lab.ts";
import { slowSum } from "./slow_checksum.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

/** The host lends `count` empty mbufs, full of old bytes. */
function lendEmpties(lab: GuestLab, count: number): void {
  lab.mbufs.u8.fill(0xee, lab.mbufs.offset, lab.mbufs.offset + lab.mbufs.stride * count);
  const empties = Array.from({ length: count }, (_, index) => [index, dataWord(128, 0)]);
  equal(lab.host[0].lend.enqueueBulk(burstOf(empties.flat()), count), count);
}

for (const bytes of [60, 64, 1000, 1514]) {
  Deno.test(`txonly makes UDP frames of ${bytes} bytes in mbufs that the host lends`, () => {
    using lab = new GuestLab();
    lendEmpties(lab, 3);
    const burst = Burst.of(32);
    equal(txonly(burst, 0, lab.lane(0, 0, { txBytes: bytes })), 3);
    const [ip, udp] = [bytes - 14, bytes - 34];
    const header = [
      ...[0x45, 0, ip >>> 8, ip & 0xff, 0, 0, 0, 0, 64, 17],
      ...[0, 0, 198, 18, 0, 1, 198, 18, 0, 2],
    ];
    for (let i = 0; i < 3; i++) {
      equal(burst.words[2 * i], i);
      equal(burst.words[2 * i + 1], dataWord(128, bytes));
      const frame = lab.frame(burst, i);
      equal(slowSum(frame.subarray(14, 34)), 0xffff, "IPv4 checksum");
      frame[24] = frame[25] = 0;
      deepEqual(
        frame,
        Uint8Array.of(
          ...[2, 0, 0, 0, 0, 0, ...macOf(0), 0x08, 0x00, ...header],
          ...[0, 9, 0, 9, udp >>> 8, udp & 0xff, 0, 0, ...new Uint8Array(bytes - 42)],
        ),
      );
      equal(lab.mbufs.u8[lab.mbufs.frameByte(i, 128) + bytes], 0xee, "and not a byte more");
    }
  });
}

Deno.test("txonly makes a burst at most, and nothing when the host lends nothing", () => {
  using lab = new GuestLab();
  lendEmpties(lab, 40);
  const burst = Burst.of(32);
  const lane = lab.lane();
  equal(txonly(burst, 0, lane), 32);
  equal(txonly(burst, 0, lane), 8);
  equal(txonly(burst, 0, lane), 0);
});

Deno.test("txonly drops what it receives, and gives the mbufs back", () => {
  using lab = new GuestLab();
  lab.lend([someFrame(60), someFrame(61)]);
  const burst = Burst.of(32);
  equal(lab.rx().rxBurst(burst, 32), 2);
  equal(txonly(burst, 2, lab.lane()), 0);
  deepEqual(lab.givenBack(), [0, 1]);
});

Deno.test("txonly writes each lane's own addresses and length", () => {
  using lab = new GuestLab({ ports: 2 });
  const burst = Burst.of(32);
  for (const [port, txBytes] of [[0, 64], [1, 100], [0, 64]]) {
    lab.host[port].lend.enqueueBulk(burstOf([7, dataWord(128, 0)]), 1);
    equal(txonly(burst, 0, lab.lane(port, port, { txBytes })), 1);
    const frame = lab.frame(burst, 0);
    equal(frame.length, txBytes);
    deepEqual([...frame.subarray(0, 12)], [2, 0, 0, 0, 0, port, ...macOf(port)]);
  }
});
