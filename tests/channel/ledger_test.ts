import { nothingTaken } from "../../app/channel/taken_back.ts";
import { deepEqual, equal, throws } from "node:assert/strict";
import { GUESTS_MAX } from "../../app/channel/ledger.ts";
import { DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
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

for (const several of [false, true]) {
  const name = several ? "Ledger for several lcores" : "Ledger";
  const ledgerHere = () => ledgerOf({ several });

  Deno.test(`${name} takes back frames that were lent, as they are`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([3, 4, 5]), 3, 0, true);
    equal(heldBy(ledger, 0), 3);
    const words = [5, dataWord(124, 64), 3, dataWord(0, 14)];
    const { good, taken } = takeFrames(ledger, 0, burstOf(words));
    deepEqual(good, words);
    deepEqual(taken, { ...NOTHING, frames: 2 });
    equal(heldBy(ledger, 0), 1);
  });

  Deno.test(`${name} tells frames that the guest made from those that it was lent`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([1, 2]), 2, 0, true);
    ledger.lend(descriptorsOf([3, 4, 5]), 3, 0, false);
    const { taken } = takeFrames(ledger, 0, descriptorsOf([5, 1, 3]));
    deepEqual(taken, { ...NOTHING, frames: 1, originated: 2 });
    deepEqual(takeEmpties(ledger, 0, descriptorsOf([4, 2])).taken, { ...NOTHING, frames: 1 });
  });

  Deno.test(`${name} counts as foreign what was never lent, and what does not exist`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([7]), 1, 0, true);
    const indexes = [8, COUNT, COUNT + 7, 0xffffff, 7];
    const { good, taken } = takeFrames(ledger, 0, descriptorsOf(indexes));
    deepEqual(good, [7, GOOD]);
    deepEqual(taken, { ...NOTHING, frames: 1, foreign: 4 });
    ledger.lend(descriptorsOf([7]), 1, 0, true);
    const empties = takeEmpties(ledger, 0, descriptorsOf(indexes));
    deepEqual(empties.good, [7]);
    deepEqual(empties.taken, { ...NOTHING, frames: 1, foreign: 4 });
  });

  Deno.test(`${name} takes nothing twice: not in a burst, not in the next, not on the other ring`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([1, 2]), 2, 0, true);
    const once = takeFrames(ledger, 0, descriptorsOf([1, 1, 1]));
    deepEqual(once.good, [1, GOOD]);
    equal(once.taken.foreign, 2);
    equal(takeFrames(ledger, 0, descriptorsOf([1])).taken.foreign, 1);
    equal(takeEmpties(ledger, 0, descriptorsOf([1])).taken.foreign, 1);
    deepEqual(takeEmpties(ledger, 0, descriptorsOf([2, 2])).good, [2]);
    equal(takeFrames(ledger, 0, descriptorsOf([2])).taken.foreign, 1);
    equal(heldBy(ledger, 0), 0);
  });

  Deno.test(`${name} takes from no guest what another holds`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([1]), 1, 0, true);
    ledger.lend(descriptorsOf([2]), 1, 1, false);
    ledger.lend(descriptorsOf([3]), 1, 2, true);
    for (const take of [takeFrames, takeEmpties]) {
      const { good, taken } = take(ledger, 1, descriptorsOf([1, 3]));
      deepEqual(good, []);
      deepEqual(taken, { ...NOTHING, foreign: 2 });
    }
    deepEqual([0, 1, 2].map((guest) => heldBy(ledger, guest)), [1, 1, 1]);
  });

  Deno.test(`${name} looks past the flags that a guest puts beside an index, but for SUPER`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([1, 2]), 2, 0, true);
    deepEqual(takeFrames(ledger, 0, descriptorsOf([0xfb000001])).good, [1, GOOD]);
    deepEqual(takeEmpties(ledger, 0, descriptorsOf([0x01000002])).good, [2]);
  });

  for (
    const [what, offset, length] of [
      ["no bytes", 128, 0],
      ["13 bytes", 128, 13],
      ["one byte more than a frame may have", 128, FRAME_MAX + 1],
      ["the greatest length", 0, 65535],
      ["its last byte behind its mbuf", STRIDE - 63, 64],
      ["all of it behind its mbuf", STRIDE, 64],
      ["the greatest offset", 65535, 64],
      ["the greatest offset and length", 65535, 65535],
    ] as const
  ) {
    Deno.test(`${name} takes the mbuf but not the frame with ${what}`, () => {
      const ledger = ledgerHere();
      ledger.lend(descriptorsOf([1, 2]), 2, 0, true);
      ledger.lend(descriptorsOf([3]), 1, 0, false);
      const bad = dataWord(offset, length);
      const result = takeFrames(ledger, 0, burstOf([1, bad, 2, GOOD, 3, bad]));
      deepEqual(result.good, [2, GOOD]);
      deepEqual([result.malformed[0], result.malformed[2]], [1, 3]);
      deepEqual(result.taken, { ...NOTHING, frames: 1, malformed: 2, malformedFrames: 1 });
      equal(heldBy(ledger, 0), 0, "the mbufs are the host's again");
    });
  }

  for (
    const [what, offset, length] of [
      ["14 bytes", 128, 14],
      ["as many bytes as a frame may have", 128, FRAME_MAX],
      ["no headroom", 0, 64],
      ["its last byte the last of its mbuf", STRIDE - 64, 64],
    ] as const
  ) {
    Deno.test(`${name} takes a frame with ${what}`, () => {
      const ledger = ledgerHere();
      ledger.lend(descriptorsOf([1]), 1, 0, true);
      const word1 = dataWord(offset, length);
      deepEqual(takeFrames(ledger, 0, burstOf([1, word1])).good, [1, word1]);
    });
  }

  Deno.test(`${name} tells kinds of violations apart`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([1, 2, 3, 4]), 4, 0, true);
    ledger.lend(descriptorsOf([5]), 1, 1, true);
    const bad = [dataWord(128, 0), dataWord(0, FRAME_MAX + 1), dataWord(STRIDE, 64)];
    const burst = descriptorsOf([1, 1, 5, 5, 5, 6, COUNT, 0xffffff, 2, 3, 4]);
    bad.forEach((word1, i) => burst.words[2 * (8 + i) + 1] = word1);
    const kinds = {
      foreign: 7,
      beyond: 2,
      anothers: 3,
      malformed: 3,
      short: 1,
      long: 1,
      outside: 1,
    };
    const { all } = takeFrames(ledger, 0, burst);
    deepEqual(all, { ...nothingTaken(), ...kinds, frames: 1, malformedFrames: 3 });
    const empties = takeEmpties(ledger, 0, descriptorsOf([1, 5, COUNT])).all;
    deepEqual(empties, { ...nothingTaken(), foreign: 3, beyond: 1, anothers: 1 });
  });

  Deno.test(`${name} does not look at the frame of an mbuf that is not the guest's`, () => {
    deepEqual(takeFrames(ledgerHere(), 0, burstOf([1, 0])).taken, {
      ...NOTHING,
      foreign: 1,
    });
  });

  Deno.test(`${name}.takeEmpties() minds no offset and no length`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([1, 2]), 2, 0, false);
    deepEqual(takeEmpties(ledger, 0, burstOf([1, 0, 2, 0xffffffff])).good, [1, 2]);
  });

  Deno.test(`${name}.unlend() undoes lend(), unless the guest has sent the mbuf`, () => {
    const ledger = ledgerHere();
    const burst = descriptorsOf([1, 2, 3, 4]);
    ledger.lend(burst, 4, 0, true);
    equal(ledger.unlend(burst, 1, 1), false, "it is another guest's");
    equal(ledger.unlend(burst, 1, 0), true);
    deepEqual(takeFrames(ledger, 0, descriptorsOf([1, 2, 3])).good, [1, GOOD, 3, GOOD]);
    deepEqual([ledger.unlend(burst, 2, 0), ledger.unlend(burst, 3, 0)], [false, true]);
  });

  Deno.test(`${name}.sweep() takes all that a guest holds, and nothing of another's`, () => {
    const ledger = ledgerHere();
    ledger.lend(descriptorsOf([0, 5, COUNT - 1]), 3, 1, true);
    ledger.lend(descriptorsOf([6]), 1, 1, false);
    ledger.lend(descriptorsOf([7]), 1, 0, true);
    ledger.lend(descriptorsOf([8]), 1, 2, false);
    const freed: number[] = [];
    deepEqual(ledger.sweep(1, (index) => freed.push(index)), { mbufs: 4, frames: 3 });
    deepEqual(freed, [0, 5, 6, COUNT - 1]);
    deepEqual([0, 1, 2].map((guest) => heldBy(ledger, guest)), [1, 0, 1]);
    deepEqual(ledger.sweep(1, (index) => freed.push(index)), { mbufs: 0, frames: 0 });
    equal(
      takeFrames(ledger, 1, descriptorsOf([5])).taken.foreign,
      1,
      "a late hand-over is foreign",
    );
  });
}

Deno.test("Ledger tells all of its guests apart", () => {
  const ledger = ledgerOf();
  const some = [0, 1, 2, 63, 64, GUESTS_MAX - 2, GUESTS_MAX - 1];
  for (const [mbuf, guest] of some.entries()) {
    ledger.lend(descriptorsOf([mbuf]), 1, guest, mbuf % 2 === 0);
  }
  for (let guest = 0; guest < GUESTS_MAX; guest++) {
    const mbuf = some.indexOf(guest);
    equal(heldBy(ledger, guest), mbuf < 0 ? 0 : 1, `guest ${guest}`);
    const { good, taken } = takeFrames(ledger, guest, descriptorsOf([...some.keys()]));
    deepEqual(good, mbuf < 0 ? [] : [mbuf, GOOD]);
    if (mbuf >= 0) equal(taken.frames, mbuf % 2 === 0 ? 1 : 0);
  }
});

Deno.test("Ledger.lend() looks past the number of a mempool for debugging in a descriptor", () => {
  const ledger = ledgerOf();
  ledger.lend(descriptorsOf([0x10000003]), 1, 0, true);
  equal(heldBy(ledger, 0), 1);
  ledger.unlend(descriptorsOf([0x10000003]), 0, 0);
  equal(heldBy(ledger, 0), 0);
});

for (const flag of ["MORE", "SHARED"] as const) {
  Deno.test(`Ledger.lend() lends no mbuf that has the flag ${flag}`, () => {
    for (const at of [0, 3, 5]) {
      const burst = descriptorsOf([1, 2, 3, 4, 5, 6]);
      burst.words[2 * at] |= DESCRIPTOR_FLAG[flag];
      throws(() => ledgerOf().lend(burst, 6, 0, true), /^CulvertError: Cannot lend an mbuf as it/);
    }
  });
}
