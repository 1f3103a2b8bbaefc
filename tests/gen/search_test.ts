import { deepEqual, equal, ok } from "node:assert/strict";
import type { TrialResult } from "../../app/gen/gen_options.ts";
import { lossOf, offeredRate, searchThroughput } from "../../app/gen/search.ts";

/** A device that forwards so many frames a second; its generator sends no more than `most`. */
function device(capacity: number, most = Infinity) {
  return (rate: number): Promise<TrialResult> => {
    const sent = Math.round(Math.min(rate, most));
    const received = Math.min(sent, capacity);
    const none = { bytes: 60 * sent, reordered: 0, duplicated: 0, others: 0, refused: 0 };
    return Promise.resolve({ ...none, sent, received, seconds: 1 });
  };
}

/** The rate that is found, and the trials on the way. */
async function search(...[capacity, most, highest, mayLose = 0]: number[]) {
  const steps: [rate: number, isPassed: boolean][] = [];
  const found = await searchThroughput(highest, mayLose, device(capacity, most), (step) => {
    steps.push([step.rate, step.isPassed]);
  });
  return { rate: found && offeredRate(found), steps };
}

Deno.test("searchThroughput() finds the highest rate without loss, to one percent", async () => {
  for (const capacity of [1, 7, 1000, 123_456, 999_999]) {
    const { rate, steps } = await search(capacity, Infinity, 1_000_000);
    ok(rate! <= capacity && rate! >= capacity * 0.985 - 1, `${rate} of ${capacity}`);
    ok(steps.length <= 30, `${steps.length} trials`);
  }
});

Deno.test("searchThroughput() ends at once if nothing is lost at the highest rate", async () => {
  deepEqual(await search(1e6, Infinity, 5e5), { rate: 5e5, steps: [[5e5, true]] });
});

Deno.test("searchThroughput() begins with what the generator can send, if it is asked for more", async () => {
  const { rate, steps } = await search(3e5, 8e5, Infinity);
  deepEqual(steps[0], [Infinity, false]);
  ok(rate! <= 3e5 && rate! > 2.95e5, `${rate}`);
  equal((await search(9e5, 8e5, Infinity)).rate, 8e5);
});

Deno.test("searchThroughput() lets as many be lost as may be, and finds nothing where all are lost", async () => {
  const { rate } = await search(1e5, Infinity, 1e6, 0.5);
  ok(rate! > 1.97e5 && rate! <= 2e5, `${rate}`);
  equal((await search(0, Infinity, 1e6)).rate, undefined);
});

Deno.test("lossOf() and offeredRate() are of a trial without frames, too", () => {
  const nothing = { sent: 0, received: 0, seconds: 0 } as TrialResult;
  deepEqual([lossOf(nothing), offeredRate(nothing)], [1, 0]);
});
