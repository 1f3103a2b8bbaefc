import assert from "node:assert/strict";
import { newSeed } from "../kit/random.ts";
import { attackMemory } from "./memory_attack.ts";
import { measureTurns } from "./turn_cost.ts";

/** One seed that is always the same, and one that never is. */
for (const [i, seed] of [20, newSeed()].entries()) {
  for (
    const [quarantineAfter, seconds, whom] of [[0, 2, "nobody"], [undefined, 2, "some"]] as const
  ) {
    Deno.test(`A host that puts ${whom} in quarantine keeps its promises to sound guests, seed ${seed}`, async () => {
      const attack = await attackMemory({ seed, seconds, quarantineAfter, lcores: i + 1 });
      assert.deepEqual(attack.complaints, [], attack.summary);
      assert(attack.checked > 0 && attack.witnessed > 0, attack.summary);
      assert.match(attack.summary, /^ {2}violations by guest [01] /m);
    });
  }
}

Deno.test("A guest that only lies in its own rings spoils no frame of its own region's other guests", async () => {
  const attack = await attackMemory({ seed: 20, seconds: 2, quarantineAfter: 0, onlyLie: true });
  assert.deepEqual(attack.complaints, [], attack.summary);
  assert(attack.checked > 0 && attack.witnessed > 0, attack.summary);
  assert.match(attack.summary, /^ {2}violations by guest [01].* handles of another guest's mbufs/m);
  assert.doesNotMatch(attack.summary, /violations by guest 2/);
  assert(attack.isCrossingChecked, "some empty mbufs were sent, though nobody asked for any");
});

/** The best of some: another program may have had the core at any time. */
function bestOf(measure: () => number): number {
  return Math.max(...Array.from({ length: 5 }, measure));
}

Deno.test("A sound guest keeps 95 % of its rate beside one in quarantine that floods its rings", () => {
  const left = bestOf(() => measureTurns().left);
  assert(left >= 0.95, `${left} is left`);
});

Deno.test("The flood would cost a sound guest more than that without quarantine", () => {
  const left = -bestOf(() => -measureTurns(0).left);
  assert(left < 0.95, `${left} is left: the quarantine is of no use`);
});

Deno.test("A guest that floods its rings with lies is put in quarantine within 0.3 s", () => {
  const { turnsUntilQuarantine } = measureTurns();
  assert(turnsUntilQuarantine < 30, `${turnsUntilQuarantine} turns of 10 ms`);
});
