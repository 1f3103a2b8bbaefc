/**
 * `deno task model`: search all states of the Promela models, with each ordering edge and without.
 *
 * @module
 */
import { UsageError } from "../../ffi/error.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { type Model, MODELS, sizeFor, textOf } from "./models.ts";
import { type Defines, edgesOf, forEachTwo, type Verdict, verify } from "./spin.ts";
import { MODEL } from "./table.ts";

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
  const model = MODELS.find((model) => model.name === name)!;
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

async function main({ values, positionals }: Parsed<typeof MODEL>): Promise<number> {
  const [name, ...macros] = positionals;
  if (name !== undefined) return await runOne(name, macros) ? 0 : 1;
  let isGood = true;
  for (const model of MODELS) isGood = await runModel(model, values.long) && isGood;
  return isGood ? 0 : 1;
}

await runTool(MODEL, main);
