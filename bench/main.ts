/**
 * `deno task bench`: what we claim, measured beside the peers.
 *
 * @module
 */
import type { Parsed } from "../app/cli/options.ts";
import { runTool } from "../app/cli/run_program.ts";
import { stopSignal } from "../app/cli/stop_signal.ts";
import { CulvertError } from "../ffi/error.ts";
import { benchAgainst } from "./against.ts";
import { describeMachine, machineLines } from "./machine.ts";
import { type BenchOptions, measureInTurns, type Measurement, type Row } from "./measurement.ts";
import { benchLatency } from "./latency.ts";
import { benchMempool } from "./mempool.ts";
import { Mood, moodOf } from "./mood.ts";
import { benchPath } from "./path.ts";
import { plotSvg } from "./plot.ts";
import { benchPorts } from "./ports.ts";
import { tableLines } from "./result_table.ts";
import { jsonLines } from "./results.ts";
import { benchRing } from "./ring.ts";
import { AREAS, BENCH } from "./table.ts";
import { benchTcp } from "./tcp.ts";
import { isStopping, stopBench } from "./waiting.ts";

/** How long an orderly end may take: a DPDK program has 5 s before it is killed. */
const STOP_MS = 20_000;

const QUICK = "short samples: they prove that the bench runs, and are no results";

type Area = (typeof AREAS)[number];

const BENCHES: Readonly<Record<Area, (options: BenchOptions) => Promise<void>>> = {
  ring: benchRing,
  mempool: benchMempool,
  path: benchPath,
  ports: benchPorts,
  tcp: benchTcp,
  latency: benchLatency,
};

type Values = Parsed<typeof BENCH>["values"];

async function bench(areas: readonly Area[], values: Values): Promise<void> {
  const { json, plot, against, quick } = values;
  const turns = values.turns ?? (against !== undefined ? 10 : quick ? 2 : 5);
  const machine = await describeMachine(Deno.args, quick ? QUICK : undefined);
  const measurements: Measurement[] = [];
  const report = (measurement: Measurement) => {
    measurements.push(measurement);
    for (const line of tableLines([measurement]).slice(1)) console.error(line);
    const results = { machine, measurements };
    if (json !== undefined) Deno.writeTextFileSync(json, jsonLines(results));
    if (plot !== undefined) Deno.writeTextFileSync(plot, plotSvg(results));
  };
  console.error(machineLines(machine).join("\n"));
  if (against !== undefined) {
    for (const area of areas) await benchAgainst(against, area, turns, report);
  } else {
    await benchPeers(areas, turns, values, report);
  }
  console.log(tableLines(measurements).join("\n"));
}

async function benchPeers(
  areas: readonly Area[],
  turns: number,
  { quick, peers, only = "" }: Values,
  report: (measurement: Measurement) => void,
): Promise<void> {
  using mood = new Mood();
  for (const area of areas) {
    const measure = async (row: Row) => {
      const { name, unit, better, inPlot = false, settings } = row;
      if (!name.includes(only)) return;
      const lineNs = await mood.measure();
      const progress = (done: number, total: number) => show(`${name}: ${done} of ${total}`);
      const found = await measureInTurns(row, turns, progress);
      show("");
      report({
        area,
        name,
        unit,
        better,
        inPlot,
        lineNs,
        lines: moodOf(lineNs),
        settings,
        ...found,
      });
    };
    await BENCHES[area]({ scale: quick ? 0.1 : 1, peers, measure });
  }
}

/** A line that the next one replaces, where somebody may see it. */
function show(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
}

async function main({ values, positionals }: Parsed<typeof BENCH>): Promise<number> {
  if (navigator.hardwareConcurrency < 2) {
    throw new CulvertError("Cannot bench as this machine has one core: two are wanted");
  }
  const stop = stopSignal((line) => console.error(`bench: ${line}`), { deadlineMs: STOP_MS });
  stop.addEventListener("abort", () => stopBench("stopped"));
  const areas = positionals.length > 0 ? positionals as Area[] : AREAS;
  try {
    await bench(areas, values);
    return 0;
  } catch (error) {
    // Ctrl-C also reaches the programs that are measured: their end may be noticed first.
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (!isStopping()) throw error;
    console.error("bench: stopped; what it made is removed");
    return 130;
  }
}

await runTool(BENCH, main);
