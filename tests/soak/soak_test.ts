/**
 * Each fault of tests/stage/faults.ts some times, on one stage: `deno task soak` and `deno task
 * deaths` do the same for longer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { newSeed } from "../kit/random.ts";
import { type Fault, FAULTS } from "../stage/faults.ts";
import { lateRecoveries } from "../stage/recovery.ts";
import { reportText } from "../stage/report.ts";
import { runFaults, type RunOptions } from "../stage/rounds.ts";

/** Times each fault comes, once if it is not here. */
const TIMES: Readonly<Record<string, number>> = { "guest killed": 2, "host killed": 2 };

/** Run these faults one after the other. */
async function survive(faults: readonly Fault[], options: Partial<RunOptions>): Promise<void> {
  const [seed, left] = [newSeed(), [...faults]];
  const report = await runFaults({
    ...{ seed, guests: ["process", "process"], rate: 5000, mtu: 1500, calm: 0.2 },
    nextFault: () => left.shift(),
    log: () => {},
    ...options,
  });
  const text = reportText(report);
  console.log(text);
  assert.deepEqual(report.broken, [], text);
  assert.equal(report.faults.length, 1 + faults.length, text);
  assert.equal(report.account.lost, report.sent - report.received, text);
  const isVm = options.guests?.includes("vm");
  assert.deepEqual(lateRecoveries(report.faults, isVm), [], text);
  assert(report.received > 2000 * report.faults.length && report.account.lost > 0, text);
}

Deno.test("After each fault frames flow again, in order, unchanged, with every lost one counted", async () => {
  const faults = FAULTS.filter(({ weight }) => weight > 0);
  await survive(faults.flatMap((fault) => Array(TIMES[fault.name] ?? 1).fill(fault)), {});
});

Deno.test("Around a VM frames flow again after a fault, in one boot, with every lost one counted", async () => {
  const names = ["server killed", "host killed", "guest paused until given up"];
  const faults = FAULTS.filter(({ name }) => names.includes(name));
  await survive(faults, { guests: ["vm"], rate: 2000, calm: 1 });
});
