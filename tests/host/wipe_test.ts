import { deepEqual, equal } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { TestHost } from "./test_host.ts";

/** What a guest writes all over the mbufs that it can see: all of its region's. */
function fillMbufs(lab: TestHost, value: number): void {
  const { offset, stride, count } = lab.host.regions[0].handle.geometry;
  lab.memories[0].u32.fill(value, offset / 4, (offset + stride * count) / 4);
}

/** Words of the mbufs of region `a` that are `value`. */
function found(lab: TestHost, value: number): number {
  const { offset, stride, count } = lab.host.regions[0].handle.geometry;
  const words = lab.memories[0].u32.subarray(offset / 4, (offset + stride * count) / 4);
  return words.reduce((n, word) => n + (word === value ? 1 : 0), 0);
}

for (const wipe of [true, false]) {
  Deno.test(`${wipe ? "With" : "Without"} --wipe the next guest finds ${wipe ? "no" : "each"} old frame`, () => {
    using lab = new TestHost({ places: { a: { 0: "p q" } }, wipe });
    lab.attach("a0");
    lab.ports.p.waiting = 200;
    lab.turns(10, () => lab.guests.a0.forward(0, 1, 16));
    fillMbufs(lab, 0x5ec2e7);
    lab.guests.a0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
    lab.turns(6);
    equal(lab.guests.a0.state.state, GUEST_STATE.ABSENT);
    equal(found(lab, 0x5ec2e7) > 0, !wipe);
    lab.attach("a0");
    lab.ports.p.waiting = 10;
    lab.turns(4, () => lab.guests.a0.forward(0, 1));
    equal(lab.counters[1][COUNTER.TX] >= 10, true, "frames go on");
    lab.end();
  });
}

Deno.test("Nothing is received while mbufs are wiped, and all of it after that", () => {
  using lab = new TestHost({ places: { a: { 0: "p" } }, wipe: true });
  lab.attach("a0");
  const before = lab.counters[0][COUNTER.RX];
  lab.guests.a0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
  const received: number[] = [];
  lab.turns(8, () => {
    lab.ports.p.waiting++;
    received.push(lab.counters[0][COUNTER.RX] - before);
  });
  lab.turns(2);
  equal(lab.ports.p.waiting, 0);
  equal(received.some((n, turn) => turn > 0 && n === received[turn - 1]), true);
  equal(lab.counters[0][COUNTER.RX] - before, 8);
  lab.end();
});

Deno.test("Frames in a link are dropped and counted when what their guest leaves is wiped", () => {
  using lab = new TestHost({ places: { a: { 0: "p link:x" }, b: { 0: "link:x q" } }, wipe: true });
  lab.attach("a0", "b0");
  lab.ports.p.waiting = 20;
  lab.turns(6, () => lab.guests.a0.forward(0, 1));
  lab.guests.a0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
  lab.guests.b0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
  lab.turns(8);
  deepEqual(lab.host.regions.map(({ mbufs: { available, total } }) => total - available), [0, 0]);
  lab.end();
});

Deno.test("A guest that keeps all that it is lent leaves the others of its region their share", () => {
  using lab = new TestHost({ places: { a: { 0: "p", 1: "q" } }, ringSize: 256 });
  lab.attach("a0", "a1");
  const burst = Burst.of(256);
  for (let turn = 0; turn < 50; turn++) {
    lab.ports.p.waiting = 32;
    lab.guests.a0.channels[0].rx.dequeueBurst(burst, 256); // never to be seen again
    lab.turns(1);
  }
  equal(lab.host.regions[0].handle.outstanding.holdMax, 128);
  equal(lab.counters[0][COUNTER.NO_MBUF], 0);
  equal(lab.counters[0][COUNTER.HOLD_MAX] > 1000, true);
  lab.ports.p.waiting = 0;
  lab.ports.q.waiting = 500;
  lab.turns(40, () => lab.guests.a1.forward(0, 0));
  equal(lab.counters[1][COUNTER.TX], 500);
  lab.end();
});
