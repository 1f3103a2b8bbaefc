import assert from "node:assert/strict";
import { runHost } from "../../app/host/run_host.ts";
import { account, assertBalanced, Lab, PATIENCE_MS, waitUntil } from "./lab.ts";
import { FOUND } from "./numbered_frames.ts";
import { type NumberedOrder, NumberedRun } from "./numbered_port.ts";

/** How long all frames of a run may take, some ten times what they do on a machine of our own. */
const LIMIT_MS = 120_000;

interface Course extends Partial<NumberedOrder> {
  readonly frames: number;
  /** Of the guest, `culvert guest`'s. */
  readonly mode: string[];
  readonly hostCores?: number[];
}

interface Outcome {
  readonly run: NumberedRun;
  readonly seconds: number;
  /** All faults at both ports, in words. */
  readonly faults: string;
  readonly summary: string;
}

/** Send numbered frames both ways through a guest process, host and checks in this process. */
async function forward({ frames, mode, hostCores = [0], ...order }: Course): Promise<Outcome> {
  await using lab = await Lab.open();
  const run = new NumberedRun({ frames, window: 256, addresses: "kept", seed: 1, ...order });
  const stop = new AbortController();
  let said = "";
  const options = {
    ports: [{ kind: "ring", name: "0" }, { kind: "ring", name: "1" }],
    region: lab.region,
    size: 2 ** 25,
    mbufs: 8192,
    mtu: 1500,
    ringSize: 1024,
    cores: hostCores,
    idle: "backoff",
    burst: 32,
    statsPeriod: 0,
  } as const;
  const host = runHost(options, run.lcoreUrl, stop.signal, (line) => said += `${line}\n`);
  try {
    const guest = lab.guest(["-T", "0", ...mode]);
    assert(await waitUntil(() => said.includes("guest 0 attached")), `${said}${guest.stderr}`);
    const hasStalled = stallOf(() => run.checked);
    const start = performance.now();
    run.start();
    await waitUntil(() => run.checked >= 2 * frames || hasStalled(), LIMIT_MS);
    const seconds = (performance.now() - start) / 1000;
    const { code, stderr } = await guest.stop();
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      new RegExp(`received ${2 * frames} frames, sent ${2 * frames}, dropped 0`),
    );
    stop.abort();
    const faults = [0, 1].map((port) => run.faultsAt(port)).filter(Boolean).join("; ");
    return { run, seconds, faults, summary: await host };
  } finally {
    stop.abort();
    await host.catch(() => {});
    run.close();
  }
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
function assertPerfect({ run, faults, summary }: Outcome): void {
  const { frames } = run.order;
  assert.equal(faults, "");
  assert.equal(run.checked, 2 * frames, "frames that came back");
  const counted = account(summary);
  assertBalanced(counted);
  assert.deepEqual([counted.received, counted.forwarded], [2 * frames, 2 * frames], summary);
}

function report({ run, seconds }: Outcome): void {
  const frames = 2 * run.order.frames;
  const bytes = [0, 1].reduce((sum, port) => sum + run.bytesSentBy(port), 0);
  console.log(
    `  ${frames} frames checked in ${seconds.toFixed(1)} s: ` +
      `${(frames / seconds / 1e6).toFixed(2)} Mpps, ${(bytes * 8 / seconds / 1e9).toFixed(1)} Gb/s`,
  );
}

Deno.test("ten million frames of 60 to 1514 bytes go through a guest process untouched and in order", async () => {
  const outcome = await forward({ frames: 5_000_000, mode: ["-l", "1", "--no-mac-updating"] });
  assertPerfect(outcome);
  report(outcome);
});

Deno.test("what the guest writes in a frame is what comes back", async () => {
  const mode = ["-l", "1", "--forward-mode", "macswap"];
  assertPerfect(await forward({ frames: 500_000, mode, addresses: "swapped" }));
});

Deno.test("frames come back in order when host and guest have two lcores each", async () => {
  const mode = ["-l", "0,1", "--forward-mode", "io"];
  assertPerfect(await forward({ frames: 200_000, mode, hostCores: [0, 1] }));
});

Deno.test("the checks see it if a guest changes frames that are to stay as they are", async () => {
  const frames = 20_000;
  const { run, faults } = await forward({ frames, mode: ["-l", "1", "--forward-mode", "macswap"] });
  assert.equal(faults, `${frames} with wrong bytes; ${frames} with wrong bytes`);
  assert.equal(run.findingsAt(0)[FOUND.NEXT], frames);
});
