/**
 * Searches for the highest rate at which no frame is lost between two interfaces:
 * `no_loss_process.ts FROM TO BYTES SECONDS CORE`, run in their network namespace. Prints a line
 * for each trial; the last one is `frames a second N`.
 *
 * @module
 */
import { openGenerator } from "../app/gen/run_gen.ts";
import { offeredRate, searchThroughput } from "../app/gen/search.ts";

/** What has not come back by then is lost: rings and mbufs hold some milliseconds. */
const SETTLE_SECONDS = 0.3;

/**
 * Trials before the search, which are not counted: V8 compiles a forwarder's loops for bursts that
 * are full, and again for those of a few frames. Meanwhile it is slow, and frames are lost.
 */
const WARM_UP = [Infinity, 500e3, Infinity, 250e3], WARM_UP_SECONDS = 1;

const [from, to, bytes, seconds, core] = Deno.args;
const generator = await openGenerator(
  {
    tx: { kind: "packet", name: from },
    rx: { kind: "packet", name: to },
    sizes: [Number(bytes)],
    latency: false,
    core: Number(core),
  },
  new URL("../app/gen/lcore_worker.ts", import.meta.url),
  new AbortController().signal,
);
const trial = (rate: number, seconds: number) =>
  generator.trial({ rate, seconds, settleSeconds: SETTLE_SECONDS });
for (const rate of WARM_UP) await trial(rate, WARM_UP_SECONDS);
const best = await searchThroughput(Infinity, 0, (rate) => trial(rate, Number(seconds)), (step) => {
  const { sent, received } = step.result;
  console.log(`offered ${Math.round(offeredRate(step.result))}, lost ${sent - received}`);
});
await generator.close();
console.log(`frames a second ${best ? offeredRate(best) : 0}`);
Deno.exit(0);
