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
import { benchCapture } from "./capture.ts";
import { benchLatency } from "./latency.ts";
import { benchMempool } from "./mempool.ts";
import { distanceOf, LineLatency } from "./line_latency.ts";
import { benchPath } from "./path.ts";
import { plotSvg } from "./plot.ts";
import { benchPorts } from "./ports.ts";
import { tableLines } from "./result_table.ts";
import { jsonLines } from "./results.ts";
import { benchRing } from "./ring.ts";
import { benchScale } from "./scale.ts";
import { AREA_SECONDS, AREAS, BENCH, TURNS } from "./table.ts";
import { benchTcp } from "./tcp.ts";
import { duration, verdictLines } from "./verdict.ts";
import { benchVm } from "./vm.ts";
import { isStopping, stopBench } from "./waiting.ts";

/** How long an orderly end may take: a DPDK program has 5 s before it is killed. */
const STOP_MS = 20_000;

const QUICK = "short samples: they prove that the bench runs, and are no results";

/** Where no terminal shows progress, a line tells it when so much time has passed. */
const PROGRESS_MS = 15_000;

type Area = (typeof AREAS)[number];

const BENCHES: Readonly<Record<Area, (options: BenchOptions) => Promise<void>>> = {
  ring: benchRing,
  mempool: benchMempool,
  path: benchPath,
  ports: benchPorts,
  tcp: benchTcp,
  latency: benchLatency,
  capture: benchCapture,
  vm: benchVm,
  scale: benchScale,
};

type Values = Parsed<typeof BENCH>["values"];

/** Measure areas; false if a row or an area failed. */
async function bench(areas: readonly Area[], values: Values): Promise<boolean> {
  const { json, plot, against, quick } = values;
  const turns = values.turns ?? (quick ? 2 : TURNS);
  const begun = performance.now();
  const machine = await describeMachine(Deno.args, quick ? QUICK : undefined);
  const measurements: Measurement[] = [];
  const failures: string[] = [];
  const report = (measurement: Measurement) => {
    measurements.push(measurement);
    for (const line of tableLines([measurement]).slice(1)) console.error(line);
    shownAt = performance.now();
    const results = { machine, measurements };
    if (json !== undefined) Deno.writeTextFileSync(json, jsonLines(results));
    if (plot !== undefined) Deno.writeTextFileSync(plot, plotSvg(results));
  };
  console.error(machineLines(machine).join("\n"));
  if (against !== undefined) {
    for (const area of areas) await benchAgainst(against, area, turns, values.only ?? "", report);
  } else {
    await benchPeers(areas, turns, values, report, (failure) => failures.push(failure));
  }
  console.log(tableLines(measurements).join("\n"));
  for (const failure of failures) console.log(failure);
  console.log(verdictLines(measurements, (performance.now() - begun) / 1000).join("\n"));
  return failures.length === 0;
}

async function benchPeers(
  areas: readonly Area[],
  turns: number,
  { quick, peers, only = "" }: Values,
  report: (measurement: Measurement) => void,
  fail: (failure: string) => void,
): Promise<void> {
  using line = new LineLatency();
  const isAsked = (name: string) => name.includes(only);
  const expected = (of: readonly Area[]) => {
    const seconds = of.reduce((sum, area) => sum + AREA_SECONDS[area], 0) * turns / TURNS;
    const isLess = only !== "" || quick || !peers;
    return `${isLess ? "at most" : "about"} ${duration(seconds)}`;
  };
  /** What fails is told, and the rest is measured all the same. */
  const attempt = async (what: string, run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof CulvertError) || await isInterrupted()) throw error;
      show("");
      console.error(`bench: ${error.message}`);
      fail(`failed: ${what}: ${error.message.replace(/(\. Its last lines:)?\n[^]*/, "")}`);
    }
  };
  console.error(`${areas.join(", ")}: ${expected(areas)}`);
  for (const [i, area] of areas.entries()) {
    console.error(`${area}: ${expected([area])}; with what follows ${expected(areas.slice(i))}`);
    const measure = async (row: Row) => {
      const { name, unit, better, settings, limit } = row;
      if (!isAsked(name)) return;
      const lineNs = await line.measure();
      const progress = (done: number, total: number) => show(`${name}: ${done} of ${total}`);
      const about = { area, name, unit, better, lineNs, lines: distanceOf(lineNs) };
      await attempt(name, async () => {
        const found = await measureInTurns(row, turns, progress);
        show("");
        report({ ...about, settings, limit, ...found });
      });
    };
    const begun = performance.now();
    const options = { scale: quick ? 0.1 : 1, peers, isAsked, measure };
    await attempt(area, () => BENCHES[area](options));
    console.error(`${area}: took ${duration((performance.now() - begun) / 1000)}`);
  }
}

/** Ctrl-C also reaches the programs that are measured: their end may be noticed first. */
async function isInterrupted(): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return isStopping();
}

let shownAt = 0;

/** A line that the next one replaces; where there is no terminal, now and then a whole line. */
function show(line: string): void {
  if (Deno.stderr.isTerminal()) {
    Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
  } else if (line !== "" && performance.now() - shownAt > PROGRESS_MS) {
    shownAt = performance.now();
    console.error(line);
  }
}

async function main({ values, positionals }: Parsed<typeof BENCH>): Promise<number> {
  if (navigator.hardwareConcurrency < 2) {
    throw new CulvertError("Cannot bench as this machine has one core: two are wanted");
  }
  const stop = stopSignal((line) => console.error(`bench: ${line}`), { deadlineMs: STOP_MS });
  stop.addEventListener("abort", () => stopBench("stopped"));
  const areas = positionals.length > 0 ? positionals as Area[] : AREAS;
  try {
    return await bench(areas, values) ? 0 : 1;
  } catch (error) {
    if (!await isInterrupted()) throw error;
    console.error("bench: stopped; what it made is removed");
    return 130;
  }
}

await runTool(BENCH, main);
