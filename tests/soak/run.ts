/**
 * `deno task soak --minutes N`: frames through real processes for as long as you like, while these
 * are killed, stopped, paused and cut off.
 *
 * @module
 */
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { newSeed } from "../kit/random.ts";
import { FAULTS, pickFault } from "../stage/faults.ts";
import { reportText, verdict } from "../stage/report.ts";
import { runFaults } from "../stage/rounds.ts";
import { chartText, plot } from "./plot.ts";
import { SOAK } from "./table.ts";

/** Seconds for starting and stopping, and for booting a VM. */
const START_SECONDS = 10, BOOT_SECONDS = 30;

await runTool(SOAK, async ({ values }: Parsed<typeof SOAK>): Promise<number> => {
  const { minutes, seed = newSeed(), rate, mtu, calm, vm, fault, json, svg } = values;
  const isWanted = (name: string) => fault.length === 0 || fault.some((one) => one === name);
  const faults = FAULTS.filter(({ name, weight }) => weight > 0 && isWanted(name));
  if (faults.length === 0) { // --fault list
    console.log(FAULTS.map(({ name }) => name).join("\n"));
    return 0;
  }
  console.log(
    `seed ${seed}, ${minutes} minutes, four times ${rate} frames/s of 60 to ${mtu + 14} bytes; ` +
      takesAbout(60 * minutes + START_SECONDS + (vm ? BOOT_SECONDS : 0)),
  );
  let isStopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => isStopped = true);
  }
  const report = await runFaults({
    ...{ seed, rate, mtu, calm, guests: ["process", vm ? "vm" : "process"] },
    nextFault: (elapsed, random) =>
      !isStopped && elapsed < minutes * 60 ? pickFault(faults, random) : undefined,
    log: console.log,
  });
  console.log(`\n${reportText(report)}\n\n${chartText(report)}`);
  Deno.writeTextFileSync(svg, plot(report));
  if (json) Deno.writeTextFileSync(json, JSON.stringify(report, null, 1));
  console.log(`plot: ${svg}\n${verdict(report)}`);
  return report.broken.length === 0 ? 0 : 1;
});
