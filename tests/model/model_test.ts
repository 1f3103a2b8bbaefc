import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { MODELS, textOf } from "./models.ts";
import { CODE_TRANSITIONS, LIFE_NUMBERS, searchAll, searchWithoutEdges, tableOf } from "./prove.ts";
import { edgesOf, pathOf, verify } from "./spin.ts";

// The short form of `deno task model`: each model in its first size, one of them without its edges.

const ROOT = new URL("../../", import.meta.url);
const [SPSC_RING] = MODELS;

for (const model of MODELS) {
  const { name, sizes: [first], labelledIn } = model;

  Deno.test(`${name}.pml holds in all states with ${textOf(first)}`, async () => {
    deepEqual((await searchAll(model, first)).wrong, []);
  });

  Deno.test(`${name}.pml has the edges that its README lists`, () => {
    ok(edgesOf(name).length >= 4, `edges: ${edgesOf(name)}`);
    deepEqual(Object.keys(tableOf(model)).sort(), edgesOf(name).sort());
  });

  if (labelledIn === undefined) continue;
  Deno.test(`${name}.pml has each ordering edge that ${labelledIn} labels`, () => {
    const text = Deno.readTextFileSync(new URL(labelledIn, ROOT));
    const labels = [...text.matchAll(/\b([A-Z]\d), pairs with [A-Z]\d\b/g)].map(([, label]) =>
      label
    );
    ok(labels.length >= 4, `labels: ${labels}`);
    deepEqual(labels.filter((label) => !edgesOf(name).includes(label)), []);
  });
}

Deno.test("spsc_ring.pml fails without any one of its ordering edges, as its README says", async () => {
  const { good, wrong } = await searchWithoutEdges(SPSC_RING);
  deepEqual(wrong, []);
  equal(good.length, 4);
});

Deno.test("guest_life.pml numbers the states as GUEST_STATE does", () => {
  const names = Object.keys(GUEST_STATE);
  deepEqual(Object.fromEntries(names.map((name) => [name, LIFE_NUMBERS[name]])), {
    ...GUEST_STATE,
  });
  equal(LIFE_NUMBERS.GARBAGE, names.length, "the first number that is no state");
});

Deno.test("guest_life.pml allows the transitions that TRANSITIONS does, and no other", () => {
  const text = Deno.readTextFileSync(pathOf("life_region"));
  const model = [...text.matchAll(/\(by == (\w+) && from == (\w+) && to == (\w+)\)/g)];
  ok(model.length > 0);
  deepEqual(
    model.map(([, by, from, to]) => `${by} ${from} ${to}`).sort(),
    [...CODE_TRANSITIONS].sort(),
  );
});

Deno.test("verify() finds statements that are never reached: sleep_flag.pml without ports", async () => {
  const { unreached } = await verify("sleep_flag", { PUBLISHERS: 1, EACH: 1, PORT_WAKES: 0 });
  equal(unreached.length, 1);
  ok(unreached[0].includes("port_wakes"), unreached[0]);
});

Deno.test("verify() throws when a model has no room for its stores", async () => {
  await rejects(verify("litmus", { COHERENCE: true, STORES: 2 }), {
    name: "CulvertError",
    message: /^Cannot verify litmus\.pml as the search ends otherwise/,
  });
});

Deno.test("verify() throws when Spin does not understand a model", async () => {
  await rejects(verify("slots"), {
    name: "CulvertError",
    message: /^Cannot verify a model as spin exits with 1: /,
  });
});

Deno.test("verify() shows the way to a violation, access by access", async () => {
  const { trail } = await verify("spsc_ring", { L1: false }, "shortest");
  deepEqual(trail.slice(-3).map((line) => line.replace(/ \d:/, ":")), [
    "produce: PRODUCER_WORD = 7",
    "consume: loads PRODUCER_WORD: 7",
    "consume: reads slot 0: element 0",
  ]);
});
