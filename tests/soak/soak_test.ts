/**
 * The soak's short form: each fault once, every frame accounted for.
 *
 * @module
 */
import assert from "node:assert/strict";
import { FAULTS } from "./faults.ts";
import { soak } from "./soak.ts";
import { reportText } from "./soak_report.ts";

/** The long form has others too: pauses too short to be noticed, two deaths at once. */
const NAMES = [
  "guest killed",
  "server killed",
  "guest stopped",
  "guest paused beyond the time-out",
  "interface down and up",
  "host killed",
  "host stopped",
];

Deno.test("Each fault is survived once: frames right, in order, every lost one counted", async () => {
  const faults = NAMES.map((wanted) => FAULTS.find(({ name }) => name === wanted)!);
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
  const report = await soak({
    seed,
    rate: 5000,
    mtu: 1500,
    calm: 0.5,
    nextFault: () => faults.shift(),
    log: () => {},
  });
  const text = reportText(report);
  console.log(text);
  assert.deepEqual(report.broken, [], text);
  assert.equal(report.faults.length, 1 + NAMES.length, text);
  assert.equal(report.account.lost, report.sent - report.received, text);
  assert(report.received > 50_000 && report.account.lost > 0, text);
});
