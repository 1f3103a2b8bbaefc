/**
 * `deno task stress`: rings and mempools between Workers and processes, in the manner of DPDK's
 * `test_ring_stress`: see `runMode()`.
 *
 * @module
 */
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { SIZES, teamsFor } from "./teams.ts";
import { type Mode, MODES } from "./modes.ts";
import { runMode } from "./run_mode.ts";
import { type Team, teamText } from "./shared_rings.ts";
import { STRESS } from "./table.ts";

/** Seconds that starting the agents of a mode takes. */
const START_SECONDS = 1;

const encoder = new TextEncoder();

/** A line that the next one overwrites, where somebody looks. */
function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${text}`));
}

/** Returns whether nothing was wrong. */
async function runTeam(
  mode: Mode,
  team: Team,
  [size, burstMax]: readonly [number, number],
  seconds: number,
): Promise<boolean> {
  const what = `${mode.name}, ${size} slots, bursts to ${burstMax}, ${teamText(team)}`;
  progress(what);
  const onProgress = (elapsed: number) => progress(`${what}: ${elapsed.toFixed(0)} s`);
  const run = await runMode({ mode, team, size, burstMax, seconds, onProgress });
  progress("");
  const rate = run.moved / run.seconds / 1e6;
  console.log(`${what}: ${(run.moved / 1e6).toFixed(1)} M objects, ${rate.toFixed(2)} M/s`);
  for (const complaint of run.complaints) console.log(`  WRONG: ${complaint}`);
  return run.complaints.length === 0;
}

async function main({ values: { seconds, only } }: Parsed<typeof STRESS>): Promise<number> {
  const modes = MODES.filter(({ name }) => only === undefined || only === name);
  console.log(takesAbout(modes.length * (seconds + START_SECONDS)));
  let isGood = true;
  for (const mode of modes) {
    const teams = teamsFor(mode);
    const sizes = mode.isFifo ? SIZES : SIZES.filter(([size]) => size > 2);
    for (const team of teams) {
      for (const size of sizes) {
        const share = seconds / teams.length / sizes.length;
        isGood = await runTeam(mode, team, size, share) && isGood;
      }
    }
  }
  console.log(isGood ? "GOOD: nothing was wrong" : "BAD: something was WRONG, see above");
  return isGood ? 0 : 1;
}

await runTool(STRESS, main);
