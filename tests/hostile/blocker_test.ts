/**
 * All that share an eventfd share its O_NONBLOCK and its counter: neither may stop a host.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { account, assertBalanced, Lab, pause, type Running, testFrame } from "../kit/lab.ts";

/** Milliseconds in which a host stops. One that waits for ever is killed much later. */
const STOP_MS = 2000;

/** Milliseconds after which idle lcores sleep: a sleep ends after 0.25 s, and another begins. */
const QUIET_MS = 400;

async function startBlocker(lab: Lab, mode: "full" | "empty"): Promise<Running> {
  const program = fileURLToPath(new URL("./blocker_process.ts", import.meta.url));
  const args = ["run", "-A", "--no-check", program, lab.region, mode];
  const blocker = lab.start(Deno.execPath(), ...args);
  await blocker.stderrLine(/ready/);
  return blocker;
}

async function assertStops(host: Running): Promise<void> {
  const start = performance.now();
  const { code, stdout, stderr } = await host.stop("SIGTERM");
  const milliseconds = performance.now() - start;
  assert.equal(code, 0, stderr);
  assertBalanced(account(stdout));
  assert(milliseconds < STOP_MS, `the host stops after ${milliseconds} ms`);
}

Deno.test("A peer that makes all reads of doorbells wait keeps no host from forwarding or ending", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires: { a, b } } = await lab.forwarding(pair, {
    host: ["--idle", "sleep"],
  });
  const blocker = await startBlocker(lab, "empty");
  const frame = testFrame(200, { seed: 4 });
  for (let bursts = 1; bursts <= 3; bursts++) {
    await pause(QUIET_MS);
    for (const [from, to] of [[a, b], [b, a]]) {
      await from.send(frame, 20);
      await to.arrived((found) => found === frame, 20 * bursts);
    }
  }
  await assertStops(host);
  const { code, stderr } = await guest.stop("SIGTERM");
  assert.equal(code, 0, stderr);
  blocker.kill("SIGKILL");
  await blocker.ended();
});

Deno.test("A peer that makes all writes to doorbells wait keeps no host from ending", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding(pair, { host: ["--idle", "poll"] });
  await lab.flows(wires);
  await pause(QUIET_MS);
  await guest.freeze(); // asleep, as its flag says
  const blocker = await startBlocker(lab, "full");
  await wires.a.send(testFrame(200, { seed: 5 }), 20);
  await host.stderrLine(/guest 0 died/);
  await assertStops(host);
  guest.kill("SIGKILL");
  blocker.kill("SIGKILL");
  await guest.ended();
  await blocker.ended();
});
