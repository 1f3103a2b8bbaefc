import { GUEST_STATE_NAMES, TRANSITIONS } from "../../app/channel/transitions.ts";
import { type Model, MODELS, sizeFor, textOf } from "./models.ts";
import {
  type Defines,
  edgesOf,
  forEachTwo,
  pathOf,
  verify,
  verifyEach,
  verifyWithoutEach,
} from "./spin.ts";

/** What a search has shown, in one line for each thing that it was about. */
export interface Shown {
  /** What is as it should be. */
  readonly good: readonly string[];
  readonly wrong: readonly string[];
}

const README = Deno.readTextFileSync(new URL("README.md", import.meta.url));

/** What breaks without an edge, from the README: rows `| S1 | where | pairs with | breaks |`. */
export function tableOf({ name }: Model): Readonly<Record<string, string>> {
  const section = README.split(/^### /m).find((text) => text.startsWith(`${name}.pml`)) ?? "";
  const rows = [...section.matchAll(/^\| ([A-Z]\d) +\|.*\| (.+?) +\|$/gm)];
  return Object.fromEntries(rows.map(([, edge, breaks]) => [edge, breaks]));
}

/** `found` beside what was expected, by name; names that are missing in one of them are wrong. */
function compare(
  found: Readonly<Record<string, string>>,
  expected: Readonly<Record<string, string>>,
): Shown {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])];
  const [good, wrong] = [true, false].map((isGood) =>
    names.filter((name) => (found[name] === expected[name]) === isGood).map((name) =>
      `${name}: ${found[name]}` + (isGood ? "" : `, not ${expected[name]}`)
    )
  );
  return { good, wrong };
}

/** All states of a model hold its properties. */
export async function searchAll(model: Model, size: Defines): Promise<Shown> {
  const { violation, isComplete, states, unreached, trail } = await verify(model.name, size);
  const what = `${model.name} ${textOf(size)}: ${states} states`;
  if (violation !== undefined) return { good: [], wrong: [`${what}, ${violation}`, ...trail] };
  if (!isComplete || states === 0) return { good: [], wrong: [`${what}, not all were searched`] };
  // What no search reaches, nothing is shown about.
  const isMissed = size === model.sizes[0] && !model.seeks && unreached.length > 0;
  if (isMissed) return { good: [], wrong: [`${what}, not reached:`, ...unreached] };
  return { good: [`${what}, all hold`], wrong: [] };
}

/** Edges that are searched for one after the other, by a search that is compiled once. */
function together(model: Model, edges: readonly string[]): string[][] {
  if (!model.isChosenWhenRun) return edges.map((edge) => [edge]);
  const bySize = Object.groupBy(edges, (edge) => textOf(sizeFor(model, edge)));
  return Object.values(bySize) as string[][];
}

/** Without any one of its ordering edges a model breaks, as its README says. */
export async function searchWithoutEdges(model: Model): Promise<Shown> {
  const found: Record<string, string> = {};
  await forEachTwo(together(model, edgesOf(model.name)), async (edges) => {
    const size = sizeFor(model, edges[0]);
    const violations = edges.length > 1
      ? await verifyWithoutEach(model.name, size, edges)
      : [(await verify(model.name, { ...size, [edges[0]]: false }, "violation")).violation];
    edges.forEach((edge, i) => found[`${model.name} without ${edge}`] = violations[i] ?? "nothing");
  });
  const expected = Object.entries(tableOf(model))
    .map(([edge, breaks]) => [`${model.name} without ${edge}`, breaks]);
  return compare(found, Object.fromEntries(expected));
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

/** memory.pml allows in litmus tests what C++20 allows, and no more. */
export async function searchMemory(): Promise<Shown> {
  const cases = [
    ...LITMUS.map(([test, without, isSeen]) => ({
      name: `litmus ${test} without ${without.join() || "none"}`,
      size: { [test]: true, ...Object.fromEntries(without.map((edge) => [edge, false])) },
      isSeen,
    })),
    ...[0, 1, 2, 3].map((value) => ({
      name: `litmus OLD_VALUE ${value}`,
      size: { OLD_VALUE: true, VALUE: value },
      isSeen: value < 3, // a load may return each store that is not known to be older
    })),
  ];
  const found: Record<string, string> = {}, expected: Record<string, string> = {};
  await forEachTwo(cases, async ({ name, size, isSeen }) => {
    const { violation, isComplete } = await verify("litmus", size, "violation");
    found[name] = violation ?? (isComplete ? "not seen" : "not searched to the end");
    expected[name] = isSeen ? "outcome seen" : "not seen";
  });
  return compare(found, expected);
}

const LIFE = MODELS.find(({ name }) => name === "guest_life")!;
const [TWO, , , HOSTILE] = LIFE.sizes;

/** The numbers of all names that guest_life.pml defines. */
export const LIFE_NUMBERS: Readonly<Record<string, number>> = Object.fromEntries(
  [...Deno.readTextFileSync(pathOf("life_region")).matchAll(/^#define ([A-Z_]+) (\d+)\b/gm)]
    .map(([, name, value]) => [name, +value]),
);

/** The code's transitions: by whom, from what, to what, such as `GUEST ABSENT ATTACHING`. */
export const CODE_TRANSITIONS: readonly string[] = TRANSITIONS.map(({ by, from, to }) =>
  `${by.toUpperCase()} ${GUEST_STATE_NAMES[from]} ${GUEST_STATE_NAMES[to]}`
);

/** Transitions that only guests that lie cause, and one of a host that stops. */
const NOT_TAKEN = /QUARANTINED$|^HOST ATTACHING ABSENT$/;

/** guest_life.pml takes each transition, but those of {@linkcode NOT_TAKEN}. */
export async function searchTransitions(): Promise<Shown> {
  const taken = CODE_TRANSITIONS.filter((transition) => !NOT_TAKEN.test(transition));
  const forbidden = taken.map((transition) => {
    const [by, from, to] = transition.split(" ").map((name) => LIFE_NUMBERS[name]);
    return 100 * by + 10 * from + to;
  });
  const found = await verifyEach(
    "guest_life",
    TWO,
    [999, ...forbidden].map((number) => ({ FORBIDDEN: `${number}`, SEEK: "0" })),
  );
  const named = (values: readonly (string | undefined)[]) =>
    Object.fromEntries(
      ["none", ...taken].map((name, i) => [`guest_life forbids ${name}`, `${values[i]}`]),
    );
  return compare(named(found), named([undefined, ...taken.map(() => "forbidden transition")]));
}

/** guest_life.pml reaches all that {@linkcode Model.seeks} names. */
export async function searchSeeks(): Promise<Shown> {
  const found: Record<string, string> = {}, expected: Record<string, string> = {};
  for (const [size, isOfLiars] of [[TWO, false], [HOSTILE, true]] as const) {
    const names = (LIFE.seeks ?? []).filter((name) => (name === "ACCUSED") === isOfLiars);
    const choices = names.map((name) => ({ FORBIDDEN: "999", SEEK: `${LIFE_NUMBERS[name]}` }));
    const results = await verifyEach("guest_life", size, choices);
    names.forEach((name, i) => {
      found[`guest_life seeks ${name}`] = `${results[i]}`;
      expected[`guest_life seeks ${name}`] = "reached";
    });
  }
  return compare(found, expected);
}
