/**
 * `deno task sim`: simulated worlds, until one breaks a promise or enough steps were taken.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { newSeed } from "../kit/random.ts";
import { Simulation } from "./simulation.ts";
import { SIM } from "./table.ts";

/**
 * Steps of one world, which has a process of its own: memory that was mapped once takes address
 * space until its process ends.
 */
const WORLD_STEPS = 250_000;

/** Steps that idle cores take in a second. */
const STEPS_A_SECOND = 70_000;

/** Lines of a trace that are printed. */
const TRACE_LINES = 400;

/** One world, in this process. Returns whether it kept its promises. */
function runWorld(seed: number, steps: number, isTraced: boolean): boolean {
  const trace: string[] = [];
  const start = performance.now();
  const simulation = new Simulation(
    seed,
    isTraced
      ? (line) => {
        trace.push(line);
        if (trace.length > 2 * TRACE_LINES) trace.splice(0, TRACE_LINES);
      }
      : undefined,
  );
  const { faults, steps: taken, milliseconds, frames, hosts, guests } = simulation.run(steps);
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `seed ${seed}: ${taken} steps in ${seconds.toFixed(1)} s, ${
      (milliseconds / 1000).toFixed(0)
    } ` +
      `simulated seconds, ${hosts} hosts, ${guests} guests, ${frames} frames`,
  );
  if (faults.length === 0) return true;
  for (const line of trace.slice(-TRACE_LINES)) console.log(line);
  for (const fault of faults) console.log(`BROKEN: ${fault}`);
  return false;
}

/** One world, in a process of its own. */
async function startWorld(seed: number, steps: number, isTraced: boolean): Promise<boolean> {
  const options = ["--seed", `${seed}`, "--steps", `${steps}`, ...isTraced ? ["--trace"] : []];
  const file = fileURLToPath(import.meta.url);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", file, ...options],
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return success;
}

await runTool(SIM, async ({ values }: Parsed<typeof SIM>): Promise<number> => {
  const { seed = newSeed(), steps, trace } = values;
  if (steps <= WORLD_STEPS) {
    if (runWorld(seed, steps, trace)) return 0;
    console.log(`sim: BAD, repeat with --seed ${seed} --steps ${steps} --trace`);
    return 1;
  }
  const worlds = Math.ceil(steps / WORLD_STEPS);
  console.log(`sim: seeds ${seed} to ${seed + worlds - 1}; ${takesAbout(steps / STEPS_A_SECOND)}`);
  for (let world = 0; world < worlds; world++) {
    const left = steps - world * WORLD_STEPS;
    if (!await startWorld(seed + world, Math.min(left, WORLD_STEPS), trace)) return 1;
  }
  console.log(`sim: GOOD, all ${worlds} worlds kept their promises`);
  return 0;
});
