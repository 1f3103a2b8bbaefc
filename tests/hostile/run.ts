/**
 * `deno task hostile`: guests that scribble over their region, and what the host promises meanwhile.
 *
 * @module
 */
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { measureRates } from "./rate.ts";
import { besiege, type SiegeOrder } from "./siege.ts";
import { HOSTILE } from "./table.ts";
import { measureTurns } from "./turn_cost.ts";

/** The kinds of siege. */
const SIEGES = [
  { quarantineAfter: 0, lcores: 1 },
  { quarantineAfter: 0, lcores: 2 },
  { quarantineAfter: undefined, lcores: 1 },
  { quarantineAfter: undefined, lcores: 2 },
  { quarantineAfter: 0, lcores: 1, onlyLies: true },
] as const satisfies readonly Partial<SiegeOrder>[];

async function showRates(seed: number, pairs: number): Promise<void> {
  const inThread = measureTurns();
  const { ratio, pairs: found } = await measureRates({ seed, pairs, enough: Infinity });
  console.log("\nframes per second of a sound guest, the other quiet and attacking:");
  for (const [quiet, attacked] of found) {
    console.log(`  ${quiet.toFixed(0)} ${attacked.toFixed(0)}`);
  }
  console.log(
    `left, by the median: ${ratio.toFixed(2)} between processes, by the time that a turn`,
  );
  console.log(`of the host takes ${inThread.left.toFixed(2)}`);
}

async function main({ values }: Parsed<typeof HOSTILE>): Promise<number> {
  const { seed = crypto.getRandomValues(new Uint32Array(1))[0] >>> 2, seconds, pairs } = values;
  console.log(`seed ${seed}`);
  let isGood = true;
  for (const order of SIEGES) {
    const siege = await besiege({ ...order, seed, seconds: seconds / SIEGES.length });
    const how = `${order.quarantineAfter === 0 ? "without" : "with"} quarantine`;
    const what = "onlyLies" in order
      ? "lies alone, all guests in one region"
      : `lcores: ${order.lcores}`;
    console.log(`\n${how}, ${what}`);
    console.log(`${siege.checked} frames of the sound guest were right`);
    console.log(`${siege.witnessed} frames of the others were looked at`);
    console.log(
      siege.isCrossingChecked
        ? "each of them also for whether it left by a port of the guest that received it"
        : "not for whose port they left by: guests have sent mbufs that were lent empty",
    );
    console.log(
      "onlyLies" in order
        ? "(guests 0 and 1 attack; guest 2 is sound, and none of its words are spoiled)"
        : `(of the region under attack guests 0 and 1 attack; guest 2 is sound, but they write in its
name: that it is found to violate, or is in quarantine, is promised to nobody)`,
    );
    console.log([...siege.quarantined, siege.summary].join("\n"));
    for (const complaint of siege.complaints) console.log(`WRONG: ${complaint}`);
    isGood &&= siege.complaints.length === 0;
  }
  if (pairs > 0) await showRates(seed, pairs);
  console.log(
    isGood ? "\nall promises were kept" : `\nsomething was WRONG: repeat with --seed ${seed}`,
  );
  return isGood ? 0 : 1;
}

await runTool(HOSTILE, main);
