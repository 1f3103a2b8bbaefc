/**
 * `deno task bench`: what we claim, measured beside the peers.
 *
 * @module
 */
import { readOptions } from "../app/cli/options.ts";
import { UsageError } from "../ffi/error.ts";
import { type BenchOptions, jsonOf, type Measurement, tableOf } from "./measurement.ts";
import { benchMempool } from "./mempool.ts";
import { benchPorts } from "./ports.ts";
import { benchRing } from "./ring.ts";
import { benchRoundTrip } from "./round_trip.ts";

const USAGE = `deno task bench - rings, memory round trip and ports, beside DPDK on this machine

  --only NAME    one section: ring, mempool, round-trip or ports; may be repeated
  --quick        two short turns instead of five full ones: proves that it runs
  --no-peers     ours alone; without DPDK's packages that is all there can be
  --json FILE    write the results as JSON lines too
  --help         show this text

Uses cores 0 and 1; nothing else should be running. The peers need
  apt-get install --no-install-recommends dpdk dpdk-dev libdpdk-dev
`;

const SECTIONS: Record<string, (options: BenchOptions) => Promise<void>> = {
  "ring": benchRing,
  "mempool": benchMempool,
  "round-trip": benchRoundTrip,
  "ports": benchPorts,
};

const values = ((): ReturnType<typeof read> => {
  try {
    return read();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(2);
  }
})();

function read() {
  const values = readOptions(Deno.args, {
    only: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    peers: { type: "boolean", default: true },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  });
  const unknown = values.only?.find((name) => !(name in SECTIONS));
  if (unknown === undefined) return values;
  throw new UsageError(
    `Cannot bench "${unknown}": ${Object.keys(SECTIONS).join(", ")} are the sections`,
  );
}

if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
if (navigator.hardwareConcurrency < 2) {
  console.error("Cannot bench as this machine has one core: two are wanted");
  Deno.exit(1);
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
for (const name of values.only ?? Object.keys(SECTIONS)) {
  const section = SECTIONS[name];
  console.error(`-- ${name}`);
  await section(options);
}
console.log(tableOf(results).join("\n"));
Deno.exit(0);
