import { deepEqual, equal, ok } from "node:assert/strict";
import { auditMempool } from "../../app/toolkit/mempool_audit.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import { FramesLab, STRIDE } from "./frames_lab.ts";
import type { FreeRaceAnswer, FreeRaceOrder } from "./free_race_worker.ts";
import type { HoldRaceOrder } from "./hold_race_worker.ts";
import type { MulticastAnswer, MulticastOrder } from "./multicast_worker.ts";

/** Frames that each has to receive, and rounds there have to be, to show anything. */
const ENOUGH = 100, ROUNDS = 10;

const url = new URL("./multicast_worker.ts", import.meta.url);

/** `deno test ... tests/mempool -- --seconds 15` runs longer. */
const seconds = Number(Deno.args[Deno.args.indexOf("--seconds") + 1] ?? 0.5) || 0.5;

for (const [workers, total, slots] of [[2, 64, 16], [3, 500, 128]]) {
  Deno.test(`frames that ${workers} Workers hold stay whole until the last frees them, then are free`, async () => {
    using lab = new FramesLab(total);
    using memory = freshMemory(total * STRIDE);
    using rings = freshMemory(workers * MpmcRing.bytes(slots));
    const order = {
      mempool: lab.pool.handle,
      metadata: lab.metadata.handle,
      memory: memory.handle,
      stride: STRIDE,
      rings: rings.handle,
      slots,
      workers,
      milliseconds: seconds * 1000,
      enough: ENOUGH,
      shared: new Int32Array(new SharedArrayBuffer(4)),
    };
    const answers = await runWorkers<MulticastOrder, MulticastAnswer>(
      url,
      Array.from({ length: workers }, (_, self) => ({ ...order, self })),
    );
    for (const { received, spoiled, unsound } of answers) {
      deepEqual({ spoiled, unsound }, { spoiled: 0, unsound: 0 });
      ok(received > ENOUGH, `only ${received} were received: too few to show anything`);
    }
    deepEqual(auditMempool(lab.pool), []);
    equal(lab.pool.available, total);
    for (let index = 0; index < total; index++) {
      equal(lab.metadata.u32[lab.metadata.refcountWord(index)], 0, `mbuf ${index}`);
    }
  });
}

Deno.test("frames that two Workers free at the same time go back once", async () => {
  using lab = new FramesLab(256);
  const order = {
    mempool: lab.pool.handle,
    metadata: lab.metadata.handle,
    stride: STRIDE,
    workers: 2,
    milliseconds: seconds * 1000,
    enough: ROUNDS,
    words: new Uint32Array(new SharedArrayBuffer(2 * 4 * 256)),
    shared: new Int32Array(new SharedArrayBuffer(12)),
  };
  const answers = await runWorkers<FreeRaceOrder, FreeRaceAnswer>(
    new URL("./free_race_worker.ts", import.meta.url),
    [{ ...order, self: 0 }, { ...order, self: 1 }],
  );
  for (const { rounds } of answers) ok(rounds > ROUNDS, `${rounds} rounds are too few`);
  equal(answers[0].lost, 0);
  deepEqual(auditMempool(lab.pool), []);
});

Deno.test("of holders that two Workers add at the same time none is lost", async () => {
  using lab = new FramesLab(1);
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const order = { metadata: lab.metadata.handle, times: 100_000, workers: 2, shared };
  const url = new URL("./hold_race_worker.ts", import.meta.url);
  await runWorkers<HoldRaceOrder, number>(url, [order, order]);
  equal(lab.metadata.u32[lab.metadata.refcountWord(0)], 2 * order.times);
});
