import assert from "node:assert/strict";
import { CheckedHost, type CheckedHostOptions } from "./checked_host.ts";
import { account, assertBalanced, Lab, PATIENCE_MS } from "./lab.ts";

/** How long all frames may take: some ten times what they take on an idle machine. */
const LIMIT_MS = 120_000;

/** What frames are sent through. */
export interface Course extends Omit<CheckedHostOptions, "regions"> {
  readonly frames: number;
  /** Options of each guest. */
  readonly mode: string[];
  /** For each region the ports of its guests; one guest between both ports if left out. */
  readonly regions?: readonly (readonly string[])[];
}

/** How it went. */
export interface Outcome {
  /** Frames that came back to both ports, right or not. */
  readonly checked: number;
  /** What was wrong with them, in words; empty if nothing was. */
  readonly faults: string;
}

/**
 * Send frames both ways between the ports `ring:0` and `ring:1` of a host, through guest processes.
 * The guests must forward all of them, and the host must lose no frame and no mbuf.
 */
export async function forward(
  { mode, regions = [["ring:0 ring:1"]], ...options }: Course,
): Promise<Outcome> {
  const { frames } = options;
  await using lab = await Lab.open();
  const named = regions.map((guests) => ({ name: lab.newRegion(), guests }));
  const room = { window: 256, mbufs: 8192, ringSize: 1024 };
  await using host = new CheckedHost({ ...room, ...options, regions: named });
  const { exchange } = host;
  const places = named.flatMap(({ name, guests }) => guests.map((_, i) => [name, i] as const));
  const guests = await host.attach(lab, places, mode);
  const start = performance.now();
  exchange.start();
  const hasStalled = stallOf(() => exchange.checked);
  await host.waitUntil(() => exchange.checked >= 2 * frames || hasStalled(), LIMIT_MS);
  const seconds = (performance.now() - start) / 1000;
  for (const guest of guests) {
    const { code, stderr } = await guest.stop();
    assert.equal(code, 0, stderr);
    const counted = new RegExp(`received ${2 * frames} frames, sent ${2 * frames}, dropped 0`);
    assert.match(stderr, counted);
  }
  const { checked } = exchange;
  const bytes = exchange.bytesSentBy(0) + exchange.bytesSentBy(1);
  const summary = await host.stop();
  assert(summary !== undefined, "the host does not stop");
  assert.equal(host.failure, "");
  const counted = account(summary);
  assertBalanced(counted);
  const moved = 2 * frames * guests.length; // into each guest and out of it
  assert.deepEqual([counted.received, counted.forwarded], [moved, moved], summary);
  const [mpps, gbps] = [2 * frames / seconds / 1e6, bytes * 8 / seconds / 1e9];
  console.log(
    `  ${2 * frames} frames checked in ${seconds.toFixed(1)} s: ` +
      `${mpps.toFixed(2)} Mpps, ${gbps.toFixed(1)} Gb/s`,
  );
  return { checked, faults: host.faults };
}

/** {@linkcode forward} frames: each must come back, in order, with every byte right. */
export async function forwardAll(course: Course): Promise<void> {
  assert.deepEqual(await forward(course), { checked: 2 * course.frames, faults: "" });
}

/** Tells whether a count has stood still for so long that nothing more is to be expected. */
function stallOf(count: () => number): () => boolean {
  let last = { count: -1, at: 0 };
  return () => {
    if (count() !== last.count) last = { count: count(), at: performance.now() };
    return performance.now() - last.at > PATIENCE_MS;
  };
}
