import { deepEqual, equal, ok } from "node:assert/strict";
import { GUEST_STATE, GUEST_STATE_NAMES, TRANSITIONS } from "../../app/channel/guest_state.ts";
import { MODELS } from "./models.ts";
import { type Defines, pathOf, verifyEach } from "./spin.ts";

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

/** What Spin finds with each of `choices`: what is forbidden, what is sought; by the choice's name. */
async function findings(
  size: Defines,
  choices: readonly { name: string; forbidden?: number; sought?: number }[],
): Promise<Record<string, string | undefined>> {
  const found = await verifyEach(
    "guest_life",
    size,
    choices.map(({ forbidden = 999, sought = 0 }) => ({
      FORBIDDEN: `${forbidden}`,
      SEEK: `${sought}`,
    })),
  );
  return Object.fromEntries(choices.map(({ name }, i) => [name, found[i]]));
}

/** Transitions that only guests that lie cause, and one that a host does as it stops: `GuestSupervisor.close()`. */
const NOT_TAKEN = /QUARANTINED$|^HOST ATTACHING ABSENT$/;

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

Deno.test("guest_life.pml takes each transition but those of liars and of hosts that stop, which it asserts", async () => {
  const taken = CODE.filter((transition) => !NOT_TAKEN.test(transition));
  const found = await findings(TWO, [
    { name: "none" },
    ...taken.map((name) => {
      const [by, from, to] = name.split(" ").map((name) => DEFINED[name]);
      return { name, forbidden: 100 * by + 10 * from + to };
    }),
  ]);
  deepEqual(found, {
    none: undefined,
    ...Object.fromEntries(taken.map((name) => [name, "forbidden transition"])),
  });
});

Deno.test("guest_life.pml comes to all that it is about", async () => {
  const seeks = LIFE.seeks ?? [];
  const choices = seeks.map((name) => ({ name, sought: DEFINED[name] }));
  const found = {
    ...await findings(TWO, choices.filter(({ name }) => name !== "ACCUSED")),
    ...await findings(HOSTILE, choices.filter(({ name }) => name === "ACCUSED")),
  };
  deepEqual(found, Object.fromEntries(seeks.map((what) => [what, "reached"])));
});
