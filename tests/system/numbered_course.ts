/**
 * Numbered frames both ways through guest processes: host and checks in the test's own process.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RegionOptions } from "../../app/host/host_options.ts";
import { runHost } from "../../app/host/run_host.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { account, assertBalanced, Lab, PATIENCE_MS, type Running, waitUntil } from "../kit/lab.ts";
import { type NumberedOrder, NumberedRun } from "./numbered_port.ts";

/** How long all frames of a run may take, some ten times what they do on a machine of our own. */
const LIMIT_MS = 120_000;

/** What frames are to go through. */
export interface Course extends Partial<NumberedOrder> {
  readonly frames: number;
  /** Options of each guest, `culvert guest`'s. */
  readonly mode: string[];
  readonly hostCores?: number[];
  /** For each region the ports of its guests 0, 1 and so on; one guest between both ports if left out. */
  readonly regions?: readonly (readonly string[])[];
}

/** How it went. */
export interface Outcome {
  readonly run: NumberedRun;
  readonly seconds: number;
  /** All faults at both ports, in words. */
  readonly faults: string;
  readonly summary: string;
  /** Guests that each frame has gone through. */
  readonly passes: number;
}

/** Send numbered frames between the ports `ring:0` and `ring:1`, both ways. */
export async function forward(course: Course): Promise<Outcome> {
  const { frames, mode, hostCores = [0], regions: places = [["ring:0 ring:1"]], ...order } = course;
  await using lab = await Lab.open();
  const run = new NumberedRun({ frames, window: 256, addresses: "kept", seed: 1, ...order });
  const stop = new AbortController();
  let said = "";
  const regions = places.map((guests): RegionOptions => ({
    name: lab.newRegion(),
    size: 2 ** 25,
    mbufs: 8192,
    ringSize: 1024,
    guests: guests.map((ports, number) => ({
      number,
      ports: ports.split(" ").map(parsePortSpec),
    })),
  }));
  const rest = {
    mtu: 1500,
    cores: hostCores,
    idle: "adaptive",
    burst: 32,
    statsPeriod: 0,
  } as const;
  const options = { regions, ...rest };
  const host = runHost(options, run.lcoreUrl, stop.signal, (line) => said += `${line}\n`);
  try {
    const guests = regions.flatMap(({ name, guests }) =>
      guests.map(({ number }) =>
        lab.guest(["--region", name, "--guest", `${number}`, "-T", "0", ...mode])
      )
    );
    const attached = () => said.match(/^guest .* attached /gm)?.length === guests.length;
    const errors = () => guests.map(({ stderr }) => stderr).join("");
    assert(await waitUntil(attached), `${said}${errors()}`);
    const hasStalled = stallOf(() => run.checked);
    const start = performance.now();
    run.start();
    await waitUntil(() => run.checked >= 2 * frames || hasStalled(), LIMIT_MS);
    const seconds = (performance.now() - start) / 1000;
    for (const guest of guests) await assertForwarded(guest, 2 * frames);
    stop.abort();
    const faults = [0, 1].map((port) => run.faultsAt(port)).filter(Boolean).join("; ");
    return { run, seconds, faults, summary: await host, passes: guests.length };
  } finally {
    stop.abort();
    await host.catch(() => {});
    run.close();
  }
}

/** Stop a guest: it has forwarded so many frames, and dropped none. */
async function assertForwarded(guest: Running, frames: number): Promise<void> {
  const { code, stderr } = await guest.stop();
  assert.equal(code, 0, stderr);
  assert.match(stderr, new RegExp(`received ${frames} frames, sent ${frames}, dropped 0`));
}

/** Tells whether a count has stood still for so long that nothing more is to be expected. */
function stallOf(count: () => number): () => boolean {
  let last = { count: -1, at: 0 };
  return () => {
    if (count() !== last.count) last = { count: count(), at: performance.now() };
    return performance.now() - last.at > PATIENCE_MS;
  };
}

/** All frames back and right, none dropped, all mbufs free. */
export function assertPerfect({ run, faults, summary, passes }: Outcome): void {
  const { frames } = run.order;
  assert.equal(faults, "");
  assert.equal(run.checked, 2 * frames, "frames that came back");
  const counted = account(summary);
  assertBalanced(counted);
  const moved = 2 * frames * passes; // into each guest and out of it
  assert.deepEqual([counted.received, counted.forwarded], [moved, moved], summary);
}

/** Say how fast it went. */
export function report({ run, seconds }: Outcome): void {
  const frames = 2 * run.order.frames;
  const bytes = [0, 1].reduce((sum, port) => sum + run.bytesSentBy(port), 0);
  console.log(
    `  ${frames} frames checked in ${seconds.toFixed(1)} s: ` +
      `${(frames / seconds / 1e6).toFixed(2)} Mpps, ${(bytes * 8 / seconds / 1e9).toFixed(1)} Gb/s`,
  );
}
