import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { burstOf } from "../kit/burst_of.ts";
import {
  COUNT,
  descriptorsOf,
  FRAME_MAX,
  GOOD,
  heldBy,
  ledgerOf,
  NOTHING,
  STRIDE,
  takeEmpties,
  takeFrames,
} from "./ledger_calls.ts";

Deno.test("Ledger conserves mbufs and gives none to two, whatever guests hand over", () => {
  const index = fc.oneof(fc.nat(COUNT + 3), fc.nat(0xffffffff));
  const word1 = fc.oneof(fc.constant(GOOD), fc.nat(0xffffffff));
  const step = fc.tuple(
    fc.constantFrom("lend", "lendEmpty", "frames", "empties", "sweep"),
    fc.nat(2),
    fc.array(fc.tuple(index, word1), { maxLength: 20 }),
  );
  fc.assert(fc.property(fc.boolean(), fc.array(step, { maxLength: 30 }), (several, steps) => {
    const ledger = ledgerOf({ several });
    const owner = new Map<number, { guest: number; frame: boolean }>(); // absent: the host's
    for (const [call, guest, handed] of steps) {
      if (call === "lend" || call === "lendEmpty") {
        const free = handed.map(([index]) => index % COUNT).filter((index) => !owner.has(index));
        const burst = descriptorsOf([...new Set(free)]);
        ledger.lend(burst, burst.count, guest, call === "lend");
        for (const index of new Set(free)) owner.set(index, { guest, frame: call === "lend" });
        continue;
      }
      const wanted: number[] = [];
      const counted = { ...NOTHING };
      const before = [...owner].filter(([, { guest: holder }]) => holder === guest);
      if (call === "sweep") {
        const freed: number[] = [];
        const frames = before.filter(([, { frame }]) => frame).length;
        deepEqual(ledger.sweep(guest, (index) => freed.push(index)), {
          mbufs: before.length,
          frames,
        });
        deepEqual(freed, before.map(([index]) => index).sort((a, b) => a - b));
        for (const index of freed) owner.delete(index);
        continue;
      }
      for (const [word0, word1] of handed) {
        const index = word0 & 0xffffff;
        const held = owner.get(index);
        if (held?.guest !== guest) {
          counted.foreign++;
          continue;
        }
        owner.delete(index);
        const [offset, length] = [word1 & 0xffff, word1 >>> 16];
        const isGood = length >= 14 && length <= FRAME_MAX && offset + length <= STRIDE;
        if (call === "empties") {
          wanted.push(index);
          counted.frames += held.frame ? 1 : 0;
        } else if (isGood) {
          wanted.push(index, word1);
          counted[held.frame ? "frames" : "originated"]++;
        } else {
          counted.malformed++;
          counted.malformedFrames += held.frame ? 1 : 0;
        }
      }
      const burst = burstOf(handed.flat());
      const { good, taken } = (call === "frames" ? takeFrames : takeEmpties)(ledger, guest, burst);
      deepEqual(good, wanted);
      deepEqual(taken, counted);
    }
    for (let guest = 0; guest < 3; guest++) {
      const held = [...owner.values()].filter((held) => held.guest === guest).length;
      equal(heldBy(ledger, guest), held);
    }
  }));
});
