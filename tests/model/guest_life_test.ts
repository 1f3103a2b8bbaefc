import { deepEqual, equal, ok } from "node:assert/strict";
import { GUEST_STATE, GUEST_STATE_NAMES, TRANSITIONS } from "../../app/channel/guest_state.ts";
import { MODELS } from "./models.ts";
import { type Defines, forEachTwo, pathOf, verify } from "./spin.ts";

const REGION = Deno.readTextFileSync(pathOf("life_region"));
const LIFE = MODELS.find(({ name }) => name === "guest_life")!;
const [TWO, , , HOSTILE] = LIFE.sizes;

/** By whom, from what, to what: `GUEST ABSENT ATTACHING`. */
const CODE = TRANSITIONS.map(({ by, from, to }) =>
  `${by.toUpperCase()} ${GUEST_STATE_NAMES[from]} ${GUEST_STATE_NAMES[to]}`
);

/** The numbers of all names that the model defines. */
const DEFINED = Object.fromEntries(
  [...REGION.matchAll(/^#define ([A-Z_]+) (\d+)\b/gm)].map(([, name, value]) => [name, +value]),
);

/** What Spin finds, item by item. */
async function findings(
  items: readonly string[],
  definesFor: (item: string) => Defines,
): Promise<Record<string, string | undefined>> {
  const found: Record<string, string | undefined> = {};
  await forEachTwo(items, async (item) => {
    found[item] = (await verify("guest_life", definesFor(item), "violation")).violation;
  });
  return found;
}

Deno.test("guest_life.pml numbers the states as GUEST_STATE does", () => {
  const names = Object.keys(GUEST_STATE);
  deepEqual(Object.fromEntries(names.map((name) => [name, DEFINED[name]])), { ...GUEST_STATE });
  equal(DEFINED.GARBAGE, names.length, "the first number that is no state");
});

Deno.test("guest_life.pml allows the transitions that TRANSITIONS does, and no other", () => {
  const model = [...REGION.matchAll(/\(by == (\w+) && from == (\w+) && to == (\w+)\)/g)];
  ok(model.length > 0);
  deepEqual(model.map(([, by, from, to]) => `${by} ${from} ${to}`).sort(), [...CODE].sort());
});

Deno.test("guest_life.pml takes each transition but those of a guest that lies, which it asserts", async () => {
  const taken = CODE.filter((transition) => !transition.endsWith("QUARANTINED"));
  const found = await findings(taken, (transition) => {
    const [by, from, to] = transition.split(" ").map((name) => DEFINED[name]);
    return { ...TWO, FORBIDDEN: 100 * by + 10 * from + to };
  });
  deepEqual(found, Object.fromEntries(taken.map((name) => [name, "forbidden transition"])));
});

Deno.test("guest_life.pml comes to all that it is about", async () => {
  const seeks = LIFE.seeks ?? [];
  const found = await findings(
    seeks,
    (what) => ({ ...(what === "ACCUSED" ? HOSTILE : TWO), SEEK: DEFINED[what] }),
  );
  deepEqual(found, Object.fromEntries(seeks.map((what) => [what, "reached"])));
});
