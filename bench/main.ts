/**
 * `deno task bench`: what we claim, measured beside the peers.
 *
 * @module
 */
import type { Parsed } from "../app/cli/options.ts";
import { runTool } from "../app/cli/run_program.ts";
import { CulvertError } from "../ffi/error.ts";
import { type BenchOptions, jsonOf, type Measurement, tableOf } from "./measurement.ts";
import { benchMempool } from "./mempool.ts";
import { benchPorts } from "./ports.ts";
import { benchRing } from "./ring.ts";
import { benchRoundTrip } from "./round_trip.ts";
import { BENCH } from "./table.ts";

type Section = (typeof BENCH.options.only.choices)[number];

const SECTIONS: Readonly<Record<Section, (options: BenchOptions) => Promise<void>>> = {
  "ring": benchRing,
  "mempool": benchMempool,
  "round-trip": benchRoundTrip,
  "ports": benchPorts,
};

async function main({ values }: Parsed<typeof BENCH>): Promise<number> {
  if (navigator.hardwareConcurrency < 2) {
    throw new CulvertError("Cannot bench as this machine has one core: two are wanted");
  }
  const results: Measurement[] = [];
  const options: BenchOptions = {
    pairs: values.quick ? 2 : 5,
    scale: values.quick ? 0.1 : 1,
    peers: values.peers,
    report(measurement) {
      results.push(measurement);
      console.error(tableOf([measurement])[1]);
      if (values.json) Deno.writeTextFileSync(values.json, results.map(jsonOf).join("\n") + "\n");
    },
  };
  for (const name of values.only.length > 0 ? values.only : BENCH.options.only.choices) {
    console.error(`-- ${name}`);
    await SECTIONS[name](options);
  }
  console.log(tableOf(results).join("\n"));
  return 0;
}

await runTool(BENCH, main);
