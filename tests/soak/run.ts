/**
 * `deno task soak --minutes N`: frames through real processes for as long as you like, while these
 * are killed, stopped, paused and cut off.
 *
 * @module
 */
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { FAULTS, pickFault } from "./faults.ts";
import { soak } from "./soak.ts";
import { reportText } from "./soak_report.ts";
import { chartText, plot } from "./plot.ts";
import { SOAK } from "./table.ts";

async function main({ values }: Parsed<typeof SOAK>): Promise<number> {
  if (values.fault.includes("list")) {
    console.log(FAULTS.map(({ name }) => name).join("\n"));
    return 0;
  }
  const { minutes, rate, mtu, calm, vm, fault, json, svg } = values;
  const seed = values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
  const faults = FAULTS.filter(({ name }) => fault.length === 0 || fault.includes(name));
  console.log(
    `seed ${seed}, ${minutes} minutes, four times ${rate} frames/s of 60 to ${mtu + 14} bytes`,
  );
  let isStopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => isStopped = true);
  }
  const report = await soak({
    seed,
    rate,
    mtu,
    calm,
    vm,
    nextFault: (elapsed, random) =>
      !isStopped && elapsed < minutes * 60 ? pickFault(faults, random) : undefined,
    log: console.log,
  });
  console.log(`\n${reportText(report)}\n\n${chartText(report)}`);
  Deno.writeTextFileSync(svg, plot(report));
  console.log(`plot: ${svg}`);
  if (json) Deno.writeTextFileSync(json, JSON.stringify(report, null, 1));
  return report.broken.length === 0 ? 0 : 1;
}

await runTool(SOAK, main);
