/**
 * `deno task model`: search all states of the Promela models, with each ordering edge and without.
 *
 * @module
 */
import { UsageError } from "../../ffi/error.ts";
import { runTask } from "../ffi/run_task.ts";
import { type Model, MODELS, sizeFor, textOf } from "./models.ts";
import { type Defines, edgesOf, forEachTwo, type Verdict, verify } from "./spin.ts";

const USAGE =
  `deno task model - search all states of the Promela models: rings, sleeping flag, a guest's life

usage: deno task model [--long]            all, with each ordering edge and without
       deno task model NAME [MACRO=VALUE...]  one, and the shortest way to what is violated

  --long    larger sizes too: some minutes, and 8 GB of memory

Models: ${MODELS.map(({ name }) => name).join(", ")}. Needs the packages spin, gcc and libc6-dev.
See tests/model/README.md.
`;

function report(name: string, defines: Defines, verdict: Verdict): void {
  const found = verdict.violation ?? (verdict.isComplete ? "holds" : "not searched to the end");
  console.log(`${name} ${textOf(defines)}: ${found}, ${verdict.states} states`);
}

/** Returns whether the model holds, and does not without any one of its edges. */
async function runModel(model: Model, isLong: boolean): Promise<boolean> {
  const { name, sizes, long } = model;
  let isGood = true;
  for (const size of isLong ? [...sizes, ...long] : sizes) {
    const verdict = await verify(name, size);
    report(name, size, verdict);
    isGood &&= verdict.violation === undefined && verdict.isComplete;
  }
  await forEachTwo(edgesOf(name), async (edge) => {
    const defines = { ...sizeFor(model, edge), [edge]: false };
    const verdict = await verify(name, defines, "violation");
    report(name, defines, verdict);
    isGood &&= verdict.violation !== undefined;
  });
  return isGood;
}

/** Returns whether the model holds. */
async function runOne(name: string, macros: readonly string[]): Promise<boolean> {
  const model = MODELS.find((model) => model.name === name);
  if (!model) throw new UsageError(`Cannot search ${name} as there is no such model\n\n${USAGE}`);
  const wrong = macros.find((macro) => !/^\w+=\w+$/.test(macro));
  if (wrong) throw new UsageError(`Cannot use ${wrong}: MACRO=VALUE is wanted, as in S1=false`);
  const defines = {
    ...sizeFor(model, macros.find((macro) => macro.endsWith("=false"))?.slice(0, -6) ?? ""),
    ...Object.fromEntries(macros.map((macro) => macro.split("="))),
  };
  const verdict = await verify(name, defines, "shortest");
  for (const line of verdict.trail) console.log(`  ${line}`);
  report(name, defines, verdict);
  return verdict.violation === undefined && verdict.isComplete;
}

async function run([first, ...others]: readonly string[]): Promise<boolean> {
  if (first !== undefined && first !== "--long") return await runOne(first, others);
  let isGood = true;
  for (const model of MODELS) isGood = await runModel(model, first === "--long") && isGood;
  return isGood;
}

await runTask(USAGE, run);
