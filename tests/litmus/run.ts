/**
 * `deno task litmus`: the shim's atomics, its copying of slots, and its functions with hostile
 * arguments, under clang's sanitizers; then without each ordering and check, which must be noticed.
 *
 * @module
 */
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { countsVerdict } from "../kit/verdict.ts";
import { type Check, CHECKS, CONTROLS } from "./controls.ts";
import { Judge, nameOf } from "./judge.ts";
import { LITMUS } from "./table.ts";

/** Seconds to compile a changed shim and to notice the change. */
const CONTROL_SECONDS = 2;

/** The check with a seed of its own, if it has one. */
function freshly(check: Check): Check {
  if (check.build.program !== "hostile") return check;
  return { ...check, args: [String(crypto.getRandomValues(new Uint32Array(1))[0])] };
}

async function main({ values: { seconds } }: Parsed<typeof LITMUS>): Promise<number> {
  const controls = Object.values(CONTROLS).flat();
  const total = CHECKS.length * seconds + controls.length * CONTROL_SECONDS;
  console.log(takesAbout(total));
  using judge = new Judge();
  let wrong = 0, unnoticed = 0;
  for (const check of CHECKS.map(freshly)) {
    const { isGood, text } = await judge.check(check, seconds);
    if (!isGood) wrong++;
    console.log(`${nameOf(check)}: ${isGood ? "" : "WRONG: "}${text}`);
  }
  for (const control of controls) {
    const { isGood, text } = await judge.control(control);
    if (!isGood) unnoticed++;
    console.log(
      `${nameOf(control)} without ${control.without}: ${isGood ? "" : "NOT NOTICED: "}${text}`,
    );
  }
  const verdict = countsVerdict(
    [CHECKS.length - wrong, CHECKS.length, "programs found nothing wrong"],
    [controls.length - unnoticed, controls.length, "changes of the shim were noticed"],
  );
  console.log(verdict.line);
  return verdict.isGood ? 0 : 1;
}

await runTool(LITMUS, main);
