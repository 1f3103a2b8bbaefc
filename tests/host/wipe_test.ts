import { deepEqual, equal } from "node:assert/strict";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { ManyLab } from "./many_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What a guest writes all over the mbufs that it can see: all of its region's. */
function fillMbufs(lab: ManyLab, value: number): void {
  const { offset, stride, count } = lab.regions[0].forLcores.geometry;
  lab.memories[0].u32.fill(value, offset / 4, (offset + stride * count) / 4);
}

/** Words of the mbufs of region `a` that are `value`. */
function found(lab: ManyLab, value: number): number {
  const { offset, stride, count } = lab.regions[0].forLcores.geometry;
  const words = lab.memories[0].u32.subarray(offset / 4, (offset + stride * count) / 4);
  return words.reduce((n, word) => n + (word === value ? 1 : 0), 0);
}

for (const wipe of [true, false]) {
  Deno.test(`${wipe ? "With" : "Without"} --wipe the next guest finds ${wipe ? "none" : "all"} of the frames of the last one`, () => {
    using lab = new ManyLab({ a: { 0: "p q" } }, { wipe });
    lab.run(function* (lab) {
      yield* lab.attach("a0");
      lab.ports.p.waiting = 200;
      yield* lab.turns(10, () => lab.guests.a0.forward(0, 1, 16));
      fillMbufs(lab, 0x5ec2e7);
      lab.guests.a0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
      yield* lab.turns(6);
      equal(lab.guests.a0.state.state, GUEST_STATE.ABSENT);
      equal(found(lab, 0x5ec2e7) > 0, !wipe);
      yield* lab.attach("a0");
      lab.ports.p.waiting = 10;
      yield* lab.turns(4, () => lab.guests.a0.forward(0, 1));
      equal(lab.counters[1][COUNTER.TX] >= 10, true, "frames go on");
    });
  });
}

Deno.test("Nothing is received while mbufs are wiped, and all of it after that", () => {
  using lab = new ManyLab({ a: { 0: "p" } }, { wipe: true });
  lab.run(function* (lab) {
    yield* lab.attach("a0");
    const before = lab.counters[0][COUNTER.RX];
    lab.guests.a0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
    const received: number[] = [];
    yield* lab.turns(8, () => {
      lab.ports.p.waiting++;
      received.push(lab.counters[0][COUNTER.RX] - before);
    });
    yield* lab.turns(2);
    equal(lab.ports.p.waiting, 0);
    equal(received.some((n, turn) => turn > 0 && n === received[turn - 1]), true);
    equal(lab.counters[0][COUNTER.RX] - before, 8);
  });
});

Deno.test("Frames in a link are dropped and counted when what their guest leaves is wiped", () => {
  using lab = new ManyLab({ a: { 0: "p link:x" }, b: { 0: "link:x q" } }, { wipe: true });
  lab.run(function* (lab) {
    yield* lab.attach("a0", "b0");
    lab.ports.p.waiting = 20;
    yield* lab.turns(6, () => lab.guests.a0.forward(0, 1));
    lab.guests.a0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
    lab.guests.b0.state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
    yield* lab.turns(8);
    deepEqual(lab.regions.map(({ mbufs: { available, total } }) => total - available), [0, 0]);
  });
});

Deno.test("A guest that keeps all that it is lent leaves the others of its region their share", () => {
  using lab = new ManyLab({ a: { 0: "p", 1: "q" } }, { ringSize: 256 });
  lab.run(function* (lab) {
    yield* lab.attach("a0", "a1");
    const burst = Burst.of(256);
    for (let turn = 0; turn < 50; turn++) {
      lab.ports.p.waiting = 32;
      lab.guests.a0.channels[0].rx.dequeueBurst(burst, 256); // never to be seen again
      yield* lab.turns(1);
    }
    equal(lab.regions[0].forLcores.holdMax, 128);
    equal(lab.counters[0][COUNTER.NO_MBUF], 0);
    equal(lab.counters[0][COUNTER.HOLD_MAX] > 1000, true);
    lab.ports.p.waiting = 0;
    lab.ports.q.waiting = 500;
    yield* lab.turns(40, () => lab.guests.a1.forward(0, 0));
    equal(lab.counters[1][COUNTER.TX], 500);
  });
});
