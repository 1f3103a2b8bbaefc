/**
 * `deno task mutation`: break the project in one way after another, and see that its tests notice.
 *
 * @module
 */
import { takesAbout } from "../../app/cli/duration.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { countsVerdict } from "../kit/verdict.ts";
import { misfit, type Table, tryMutations } from "./mutants.ts";
import { MUTATION } from "./table.ts";
import { TABLES } from "./tables.ts";

/** Seconds for one mutation, of two at a time. */
const SECONDS = 0.7;

/** What is wrong with a table's mutations. */
async function tryTable(table: Table): Promise<string[]> {
  const misfits = table.mutations.flatMap((mutation) => misfit(table, mutation) ?? []);
  return misfits.length > 0 ? misfits : await tryMutations(table);
}

async function main(): Promise<number> {
  const total = TABLES.reduce((sum, { mutations }) => sum + mutations.length, 0);
  console.log(takesAbout(total * SECONDS));
  let wrong = 0;
  for (const table of TABLES) {
    const found = await tryTable(table);
    console.log(`${table.what}: ${table.mutations.length} mutations, ${found.length} wrong`);
    for (const line of found) console.log(`WRONG: ${line}`);
    wrong += found.length;
  }
  const verdict = countsVerdict([total - wrong, total, "were noticed"]);
  console.log(verdict.line);
  return verdict.isGood ? 0 : 1;
}

await runTool(MUTATION, main);
