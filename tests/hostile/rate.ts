/**
 * What a hostile neighbour costs a sound guest: the sound one's rate while a besieger attacks the host, and
 * while the same besieger, with the same decisions, plays with memory of its own. By turns, in one host.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { HostOptions } from "../../app/host/host_options.ts";
import { runHost } from "../../app/host/run_host.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { Lab, pause, type Running, waitUntil } from "../kit/lab.ts";
import { NumberedRun } from "../system/numbered_port.ts";

/** What is to be measured. */
export interface RateOrder {
  readonly seed: number;
  /** Pairs of turns at most. */
  readonly pairs: number;
  /** Enough of them once the median ratio is so good; at least three. */
  readonly enough: number;
  /** As `--quarantine-after`. */
  readonly quarantineAfter?: number;
}

/** What was found. */
export interface Rates {
  /** Frames of the sound guest per second while nobody attacks, and while somebody does: one of each a pair. */
  readonly pairs: readonly (readonly [quiet: number, attacked: number])[];
  /** The median of what is left under attack, 1 for all. */
  readonly ratio: number;
  /** What the host said of the guests that attacked. */
  readonly quarantined: readonly string[];
}

const TURN_MS = 1000;

/** Measure. A besieger that is in quarantine stays there: each attack is from another place. */
export async function measureRates(order: RateOrder): Promise<Rates> {
  await using lab = await Lab.open();
  const run = new NumberedRun({ frames: 2 ** 31 - 1, window: 256, addresses: "kept", seed: 1 });
  const [sound, attacked] = [lab.newRegion(), lab.newRegion()];
  const region = (name: string, guests: readonly string[]) => ({
    name,
    size: 2 ** 23,
    mbufs: 2048,
    ringSize: 256,
    guests: guests.map((ports, number) => ({ number, ports: ports.split(" ").map(parsePortSpec) })),
  });
  const options: HostOptions = {
    regions: [
      region(sound, ["ring:0 ring:1"]),
      region(attacked, Array.from({ length: order.pairs }, () => "null:0")),
    ],
    ...{ mtu: 1500, cores: [0], idle: "adaptive", burst: 32, statsPeriod: 0 },
    quarantineAfter: order.quarantineAfter,
  };
  const stop = new AbortController();
  const said: string[] = [];
  const url = new URL("./rate_host_worker.ts", import.meta.url);
  url.search = run.lcoreUrl.search;
  const host = runHost(options, url, stop.signal, (line) => said.push(line));
  try {
    const args = ["--region", sound, "-T", "0", "-l", "1", "--forward-mode", "io"];
    const guest = lab.guest(args);
    if (!await waitUntil(() => said.some((line) => / attached /.test(line)))) {
      throw new Error(`no guest: ${said.join("\n")} ${guest.stderr}`);
    }
    run.start();
    const program = fileURLToPath(new URL("./besieger_process.ts", import.meta.url));
    const besieger = async (own: number, ...how: string[]) => {
      const process = lab.start(...[
        ...["nice", "-n", "19", Deno.execPath(), "run", "-A", "--no-check", program, attacked],
        ...[order.pairs, own, order.seed + own].map(String),
        ...how,
      ]);
      await process.stderrLine(/ready/);
      return process;
    };
    const turn = async (process: Running): Promise<number> => {
      await process.write("go");
      await pause(50);
      const [frames, start] = [run.checked, performance.now()];
      await pause(TURN_MS);
      const rate = (run.checked - frames) / (performance.now() - start) * 1000;
      process.kill("SIGKILL");
      await process.ended();
      return rate;
    };
    const pairs: [number, number][] = [];
    const ratio = () => median(pairs.map(([quiet, attacked]) => attacked / quiet));
    while (pairs.length < order.pairs && (pairs.length < 3 || ratio() < order.enough)) {
      const own = pairs.length;
      const decoy = await besieger(own, "--mode", "decoy");
      const attacker = await besieger(own, "--mode", "lie");
      // Each goes first every other time.
      if (own % 2 === 0) pairs.push([await turn(decoy), await turn(attacker)]);
      else pairs.push([await turn(attacker), await turn(decoy)].reverse() as [number, number]);
    }
    const quarantined = said.filter((line) => / is in quarantine /.test(line));
    return { pairs, ratio: ratio(), quarantined };
  } finally {
    stop.abort();
    await host.catch(() => {});
    run.close();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >>> 1];
}
