import assert from "node:assert/strict";
import { besiege } from "./siege.ts";
import { measureTurns } from "./turn_cost.ts";

/** One that is always the same, and one that never is. */
const SEEDS = [20, crypto.getRandomValues(new Uint32Array(1))[0] >>> 2];

for (const [i, seed] of SEEDS.entries()) {
  for (
    const [quarantineAfter, seconds, how] of [[0, 5, "nobody"], [undefined, 2, "them"]] as const
  ) {
    Deno.test(`A host that shuts ${how} out keeps its promises to sound guests, seed ${seed}`, async () => {
      const siege = await besiege({ seed, seconds, quarantineAfter, lcores: i + 1 });
      assert.deepEqual(siege.complaints, [], siege.summary);
      assert(siege.checked > 0 && siege.witnessed > 0, siege.summary);
      assert.match(siege.summary, /^ {2}violations by guest [01] /m);
    });
  }
}

Deno.test("A guest that only lies in its own rings spoils no frame of its own region's other guests", async () => {
  const siege = await besiege({ seed: 20, seconds: 2, quarantineAfter: 0, onlyLies: true });
  assert.deepEqual(siege.complaints, [], siege.summary);
  assert(siege.checked > 0 && siege.witnessed > 0, siege.summary);
  assert.match(siege.summary, /^ {2}violations by guest [01].* handles of another guest's mbufs/m);
  assert.doesNotMatch(siege.summary, /violations by guest 2/);
  assert(siege.isCrossingChecked, "nobody asked for empty mbufs, and yet some were sent");
});

/** The best of a few: another program may have had the core at any time, and made it worse. */
function bestOf(measure: () => number): number {
  return Math.max(...Array.from({ length: 5 }, measure));
}

Deno.test("A sound guest keeps 95 % of its rate beside one that is in quarantine, and floods its rings", () => {
  const left = bestOf(() => measureTurns().left);
  assert(left >= 0.95, `${left} is left`);
});

Deno.test("The flood would cost a sound guest more than that if nobody were ever shut out", () => {
  const left = Math.min(...Array.from({ length: 5 }, () => measureTurns(0).left));
  assert(left < 0.95, `${left} is left: what is the quarantine good for?`);
});

Deno.test("A guest that floods its rings with lies is shut out within 0.3 s", () => {
  const { turnsUntilQuarantine } = measureTurns();
  assert(turnsUntilQuarantine < 30, `${turnsUntilQuarantine} turns of 10 ms`);
});
