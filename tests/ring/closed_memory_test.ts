import { deepEqual } from "node:assert/strict";
import { runWorkers } from "../ffi/run_workers.ts";
import type { ClosedAnswer, ClosedOrder } from "./closed_memory_worker.ts";

const worker = new URL("./closed_memory_worker.ts", import.meta.url);

for (const sharing of ["multi", "hts", "rts"] as const) {
  Deno.test(`MpmcRing (${sharing}) moves nothing, and waits for nobody, after its memory was closed`, async () => {
    const answers = await runWorkers<ClosedOrder, ClosedAnswer>(worker, [{ sharing }]);
    deepEqual(answers, [{ enqueued: 0, dequeued: 0, reserved: 0, peeked: 0 }]);
  });
}
