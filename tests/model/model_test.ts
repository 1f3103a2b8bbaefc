import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { type Model, MODELS, sizeFor, textOf } from "./models.ts";
import { edgesOf, forEachTwo, verify, verifyWithoutEach } from "./spin.ts";

const ROOT = new URL("../../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", import.meta.url));

/** What the README says that breaks without an edge: rows `| S1 | where | pairs with | what breaks |`. */
function tableOf({ name }: Model): Record<string, string> {
  const section = README.split(/^### /m).find((text) => text.startsWith(`${name}.pml`)) ?? "";
  const rows = [...section.matchAll(/^\| ([A-Z]\d) +\|.*\| (.+?) +\|$/gm)];
  return Object.fromEntries(rows.map(([, edge, breaks]) => [edge, breaks]));
}

/** Edges that are searched one after the other, by what is compiled once: it takes longer than most searches. */
function together(model: Model, edges: readonly string[]): string[][] {
  if (!model.isChosenWhenRun) return edges.map((edge) => [edge]);
  const bySize = Object.groupBy(edges, (edge) => textOf(sizeFor(model, edge)));
  return Object.values(bySize) as string[][];
}

for (const model of MODELS) {
  const { name, sizes, labelledIn } = model;

  for (const size of sizes) {
    Deno.test(`${name}.pml holds in all states with ${textOf(size)}`, async () => {
      const { violation, isComplete, states, unreached, trail } = await verify(name, size);
      equal(violation, undefined, trail.join("\n"));
      ok(isComplete && states > 0, `not all states were searched: ${states}`);
      if (size === sizes[0] && !model.seeks) {
        deepEqual(unreached, [], "nothing is shown about such statements");
      }
    });
  }

  Deno.test(`${name}.pml fails without any one of its ordering edges, as its README says`, async () => {
    const edges = edgesOf(name);
    const breaks: Record<string, string> = {};
    await forEachTwo(together(model, edges), async (edges) => {
      const size = sizeFor(model, edges[0]);
      const violations = edges.length > 1
        ? await verifyWithoutEach(name, size, edges)
        : [(await verify(name, { ...size, [edges[0]]: false }, "violation")).violation];
      edges.forEach((edge, i) => breaks[edge] = violations[i] ?? "nothing");
    });
    ok(edges.length >= 4, `edges: ${edges}`);
    deepEqual(breaks, tableOf(model));
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

/** Litmus tests: the orderings that are taken away, and whether the outcome is then seen. */
const LITMUS: readonly [test: string, without: readonly string[], isSeen: boolean][] = [
  ["MESSAGE_PASSING", [], false],
  ["MESSAGE_PASSING", ["RELEASE"], true],
  ["MESSAGE_PASSING", ["ACQUIRE"], true],
  ["MESSAGE_BETWEEN_FENCES", [], false],
  ["MESSAGE_BETWEEN_FENCES", ["FENCE_1"], true],
  ["MESSAGE_BETWEEN_FENCES", ["FENCE_2"], true],
  ["THROUGH_A_THIRD", [], false],
  ["THROUGH_A_THIRD", ["ACQUIRE"], true],
  ["THROUGH_A_SWAP", [], false],
  ["THROUGH_A_SWAP", ["RELEASE"], true],
  ["STORE_BUFFERING", [], false],
  ["STORE_BUFFERING", ["FENCE_1"], true],
  ["STORE_BUFFERING", ["FENCE_2"], true],
  ["INDEPENDENT_READS", [], false],
  ["INDEPENDENT_READS", ["FENCE_1"], true],
  ["COHERENCE", [], false],
  ["SWAP", [], false],
];

Deno.test("memory.pml allows in litmus tests what C++20 allows, and no more", async () => {
  const wrong: string[] = [];
  await forEachTwo(LITMUS, async ([test, without, isSeen]) => {
    const dropped = Object.fromEntries(without.map((edge) => [edge, false]));
    const { violation, isComplete } = await verify(
      "litmus",
      { [test]: true, ...dropped },
      "violation",
    );
    const isRight = isSeen ? violation === "outcome seen" : violation === undefined && isComplete;
    if (!isRight) wrong.push(`${test} without ${without}: ${violation}`);
  });
  deepEqual(wrong, []);
});

Deno.test("memory.pml lets a load return each store that is not known to be older", async () => {
  const seen = [];
  for (const value of [0, 1, 2, 3]) {
    const { violation } = await verify("litmus", { OLD_VALUE: true, VALUE: value }, "violation");
    if (violation === "outcome seen") seen.push(value);
  }
  deepEqual(seen, [0, 1, 2]);
});

Deno.test("verify() tells statements that are never reached: sleep_flag.pml without ports", async () => {
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
