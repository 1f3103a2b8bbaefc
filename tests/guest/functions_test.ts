import { deepEqual, equal } from "node:assert/strict";
import { l2fwd } from "../../app/guest/functions/l2fwd.ts";
import { ANSWERING_MODES, MODES } from "../../app/guest/functions/mod.ts";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { GuestLab, macOf, someFrame } from "./guest_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

const FRAMES = Array.from({ length: 5 }, (_, i) => someFrame(60 + i, i));

/** What a frame looks like that the paired port, number 1, sends for l2fwd. */
function updated(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, 0, 1, ...macOf(1), ...frame.subarray(12));
}

/** A frame, its addresses swapped. */
function swapped(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12));
}

for (
  const [name, macUpdating, expected] of [
    ["l2fwd", true, updated],
    ["l2fwd", false, (frame) => frame],
    ["io", true, (frame) => frame],
    ["mac", true, updated],
    ["mac", false, updated],
    ["macswap", true, swapped],
  ] as [string, boolean, (frame: Uint8Array) => Uint8Array][]
) {
  Deno.test(`${name} ${macUpdating ? "with" : "without"} MAC updating sends all frames, in order`, () => {
    using lab = new GuestLab({ ports: 2 });
    const burst = lab.burst(FRAMES);
    const before = burst.words.slice();
    equal(MODES[name](burst, 4, lab.lane(0, 1, { macUpdating })), 4);
    deepEqual([...burst.words], [...before]);
    for (const i of [0, 1, 2, 3]) deepEqual(lab.frame(burst, i), expected(FRAMES[i]));
    deepEqual(lab.frame(burst, 4), FRAMES[4], "the burst has four frames");
    deepEqual(lab.givenBack(), []);
  });

  Deno.test(`${name} ${macUpdating ? "with" : "without"} MAC updating makes nothing of nothing`, () => {
    using lab = new GuestLab({ ports: 2 });
    equal(MODES[name](Burst.of(32), 0, lab.lane(0, 1, { macUpdating })), 0);
    deepEqual(lab.givenBack(), []);
  });
}

Deno.test("rxonly drops all frames, counts them, and gives their mbufs back", () => {
  using lab = new GuestLab();
  const burst = lab.burst(FRAMES);
  equal(MODES.rxonly(burst, 5, lab.lane()), 0);
  equal(lab.counters[0][GUEST_COUNTER.RX_DROPPED], 5);
  deepEqual(lab.givenBack(), [0, 1, 2, 3, 4]);
  equal(MODES.rxonly(burst, 0, lab.lane()), 0);
  deepEqual(lab.givenBack(), []);
});

Deno.test("MODES has l2fwd and testpmd's modes, those that answer among them", () => {
  deepEqual(Object.keys(MODES), ["l2fwd", "io", "mac", "macswap", "icmpecho", "rxonly", "txonly"]);
  equal(MODES.l2fwd, l2fwd);
  for (const mode of ANSWERING_MODES) equal(mode in MODES, true, mode);
});
