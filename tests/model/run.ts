/**
 * `deno task model`: search all states of the Promela models, with each ordering edge and without.
 *
 * @module
 */
import { UsageError } from "../../ffi/error.ts";
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { countsVerdict } from "../kit/verdict.ts";
import { MODELS, sizeFor, textOf } from "./models.ts";
import {
  searchAll,
  searchMemory,
  searchSeeks,
  searchTransitions,
  searchWithoutEdges,
  type Shown,
} from "./prove.ts";
import { verify } from "./spin.ts";
import { MODEL } from "./table.ts";

/** The searches of all models. */
function searches(isLong: boolean): (() => Promise<Shown>)[] {
  return [
    ...MODELS.flatMap((model) => [
      ...[...model.sizes, ...(isLong ? model.long : [])].map((size) => () =>
        searchAll(model, size)
      ),
      () => searchWithoutEdges(model),
    ]),
    ...[searchMemory, searchTransitions, searchSeeks],
  ];
}

async function runAll(isLong: boolean): Promise<boolean> {
  console.log(takesAbout(60 * (isLong ? 10 : 2)));
  let good = 0, wrong = 0;
  for (const search of searches(isLong)) {
    const shown = await search();
    for (const line of shown.good) console.log(line);
    for (const line of shown.wrong) console.log(`WRONG: ${line}`);
    good += shown.good.length;
    wrong += shown.wrong.length;
  }
  const verdict = countsVerdict([good, good + wrong, "searches show what they should"]);
  console.log(verdict.line);
  return verdict.isGood;
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
  const { violation, isComplete, states, trail } = await verify(name, defines, "shortest");
  for (const line of trail) console.log(`  ${line}`);
  const found = violation ?? (isComplete ? "holds" : "not searched to the end");
  console.log(`${name} ${textOf(defines)}: ${found}, ${states} states`);
  return violation === undefined && isComplete;
}

async function main({ values, positionals }: Parsed<typeof MODEL>): Promise<number> {
  const [name, ...macros] = positionals;
  const isGood = name === undefined ? await runAll(values.long) : await runOne(name, macros);
  return isGood ? 0 : 1;
}

await runTool(MODEL, main);
