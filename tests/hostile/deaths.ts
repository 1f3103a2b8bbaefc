/**
 * `deno task deaths`: one fault after another, each many times, and all must be well afterwards.
 *
 * @module
 */
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { newSeed, Random } from "../kit/random.ts";
import { pause } from "../kit/wait.ts";
import { type Fault, FAULTS } from "../stage/faults.ts";
import { lateRecoveries } from "../stage/recovery.ts";
import { faultLines, type FaultRecord } from "../stage/report.ts";
import { runFaults } from "../stage/rounds.ts";
import { type Creator, CREATORS, dieWhileCreating } from "./dying_creator.ts";
import { DEATHS } from "./table.ts";

/** After so many faults the host is stopped, and must have all its mbufs. */
const FAULTS_PER_HOST = 10;

/** Seconds for a fault with its recovery, and for a VM to boot. */
const FAULT_SECONDS = 2.4, BOOT_SECONDS = 20;

/** What happens to a VM, its host and its server unless `--only` says otherwise. */
const AROUND_VM = [
  "guest killed",
  "guest paused until given up",
  "host killed",
  "server killed",
];

/** Signals that ask for an end, and the exit status that tells which one it was. */
const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
/** Milliseconds after which we know of a signal that was sent to other processes too. */
const SIGNAL_MS = 100;
let status = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => status ||= STATUS[signal]);
}

/** What is asked for. */
interface Order {
  readonly times: number;
  readonly seed: number;
  readonly vm: boolean;
}

/** Let a fault come `times` times; broken promises, in words. */
async function repeat(fault: Fault, { times, seed, vm }: Order): Promise<string[]> {
  const found: FaultRecord[] = [];
  for (let run = 0; found.length < times && status === 0; run++) {
    let left = Math.min(FAULTS_PER_HOST, times - found.length);
    const { faults, broken } = await runFaults({
      ...{ seed: seed + run, rate: 2000, mtu: 1500, calm: 0.1 },
      guests: vm ? ["vm"] : ["process", "process"],
      nextFault: () => status === 0 && left-- > 0 ? fault : undefined,
      log: console.log,
    });
    found.push(...faults.filter(({ name }) => name === fault.name));
    if (broken.length > 0) return [...broken];
  }
  if (vm) console.log("    around a VM:");
  console.log(faultLines(found).slice(0, -1).join("\n"));
  return lateRecoveries(found, vm);
}

/** Let creators of regions die `times` times; if a next host does not work, that is thrown. */
async function repeatCreation(creator: Creator, { times, seed }: Order): Promise<string[]> {
  const said = await dieWhileCreating(creator, times, new Random(seed), () => status !== 0);
  console.log(`    ${creator.name}: ${said}`);
  return [];
}

/** The faults in their order, and whether each strikes around a VM. */
function sequence(only: readonly string[] | undefined, vm: boolean): [name: string, vm: boolean][] {
  const around = (names: readonly string[], vm: boolean) =>
    names.map((name): [string, boolean] => [name, vm]);
  if (only || vm) return around(only ?? AROUND_VM, vm);
  return [...around(DEATHS.options.only.choices, false), ...around(AROUND_VM, true)];
}

/** How often a fault comes: around a VM, which is slow, less often. */
function timesOf(vm: boolean, times: number): number {
  return vm ? Math.ceil(times / 4) : times;
}

/** Seconds that faults take, the start of their hosts and VMs among them. */
function secondsOf(all: readonly [name: string, vm: boolean][], times: number): number {
  return all.reduce(
    (sum, [, vm]) => sum + timesOf(vm, times) * FAULT_SECONDS + (vm ? BOOT_SECONDS : 0),
    0,
  );
}

async function main({ values }: Parsed<typeof DEATHS>): Promise<number> {
  const { times, only, seed = newSeed() } = values;
  const all = sequence(only, values.vm);
  console.log(`seed ${seed}; ${takesAbout(secondsOf(all, times))}`);
  const broken: string[] = [];
  for (const [name, vm] of all) {
    const fault = FAULTS.find((one) => one.name === name);
    const creator = CREATORS.find((one) => one.name === name)!;
    const order = { times: timesOf(vm, times), seed, vm };
    const found = await (fault ? repeat(fault, order) : repeatCreation(creator, order))
      .catch((error) => [`${name}: ${(error as Error).message}`]);
    // A terminal sends SIGINT to our children too: they may end before we know of it.
    if (found.length > 0) await pause(SIGNAL_MS);
    if (status !== 0) break;
    for (const promise of found) console.log(`BROKEN: ${promise}`);
    broken.push(...found);
  }
  if (status !== 0) console.log("ended by a signal");
  else if (broken.length === 0) console.log(`GOOD: every promise was kept (seed ${seed})`);
  else console.log(`BAD: ${broken.length} promises were broken (seed ${seed})`);
  return status || Math.sign(broken.length);
}

await runTool(DEATHS, main);
