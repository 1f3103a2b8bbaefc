import { equal, ok } from "node:assert/strict";
import { RING } from "../../app/memory/layout.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { SpscAnswer, SpscOrder } from "./spsc_ring_worker.ts";

const RUNS = [
  { size: 2, burstMax: 8, milliseconds: 300 },
  { size: 64, burstMax: 48, milliseconds: 300 },
  { size: 1024, burstMax: 256, milliseconds: 900 },
];

for (const { size, burstMax, milliseconds } of RUNS) {
  Deno.test(`SpscRing of ${size} slots loses, doubles and reorders nothing between two Workers`, async () => {
    using memory = freshMemory(SpscRing.bytes(size));
    memory.u32[RING.PRODUCER] = memory.u32[RING.CONSUMER] = 2 ** 32 - 50; // soon past 2^32
    const order = {
      memory: memory.handle,
      size,
      burstMax,
      milliseconds,
      shared: new Int32Array(new SharedArrayBuffer(12)),
    };
    const [sent, received] = await runWorkers<SpscOrder, SpscAnswer>(
      new URL("./spsc_ring_worker.ts", import.meta.url),
      [{ ...order, role: "producer" }, { ...order, role: "consumer" }],
    );
    equal(received.wrong, 0, `${received.wrong} of ${received.moved} descriptors are wrong`);
    equal(received.moved, sent.moved);
    equal(sent.violations + received.violations, 0);
    ok(sent.moved > 100, `only ${sent.moved} were sent: too few to show anything`);
  });
}
