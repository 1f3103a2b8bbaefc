/**
 * `deno task deaths`: kill one thing after another, at random moments, and see that all is well afterwards.
 *
 * @module
 */
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { Random } from "../kit/random.ts";
import { pause } from "../kit/wait.ts";
import { DEATHS as KINDS } from "./death_kinds.ts";
import { VM_DEATHS } from "./death_vm_kinds.ts";
import { DEATHS } from "./table.ts";

const all = { ...KINDS, ...VM_DEATHS };

/** Signals that ask for an end: the exit status says which one it was. */
const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
/** Milliseconds after which a signal that others were sent, too, is here. */
const SIGNAL_MS = 100;
let status = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => status ||= STATUS[signal]);
}

async function main({ values }: Parsed<typeof DEATHS>): Promise<number> {
  const seed = values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
  console.log(`seed ${seed}`);
  for (const kind of values.only ?? DEATHS.options.only.choices) {
    const start = performance.now();
    try {
      const dice = new Random(seed);
      const found = await all[kind](values.times, dice, () => status !== 0);
      console.log(`${kind}: ${found} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
    } catch (error) {
      // A terminal sends SIGINT to all that we have started, too: these may be gone before we are told.
      await pause(SIGNAL_MS);
      if (status === 0) throw error;
      console.log(`${kind}: ended by a signal: ${(error as Error).message.split("\n")[0]}`);
    }
    if (status !== 0) break;
  }
  return status;
}

await runTool(DEATHS, main);
