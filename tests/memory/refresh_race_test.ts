import { deepEqual, ok } from "node:assert/strict";
import { ZONE_KIND, ZONES_MAX } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { meetAt, runWorkers } from "../ffi/run_workers.ts";
import type { RefreshAnswer, RefreshOrder } from "./refresh_worker.ts";
import { pause, until } from "../kit/wait.ts";

/** How often the reader has to find something. */
const FINDINGS = 6;

Deno.test("Region.refresh() and attach() see no memzone half-made while another thread adds them", async () => {
  using memory = freshMemory(1 << 20);
  memory.u32.fill(0xeeeeeeee);
  const region = Region.build(memory, "r0");
  region.publish();
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const order = { memory: memory.handle, shared, zones: ZONES_MAX };
  const answers = runWorkers<RefreshOrder, RefreshAnswer>(
    new URL("./refresh_worker.ts", import.meta.url),
    [order],
  );
  while (Atomics.load(shared, 0) === 0) await pause(1);
  meetAt(shared, 2);
  for (let i = 0; i < ZONES_MAX; i++) {
    const looked = () => Atomics.load(shared, 1) >= Math.floor(i * FINDINGS / ZONES_MAX);
    await until(looked, "the reader has found the memzones before");
    region.addMemzone(`z${i}`, ZONE_KIND.RAW, 2048, i, ({ offset, size, parameter }) => {
      const [from, to] = [offset >>> 2, (offset + size) >>> 2];
      memory.u32.fill(parameter, from, to - 1);
      for (const end = performance.now() + 0.2; performance.now() < end;); // long to be half-made
      memory.u32[to - 1] = parameter;
    });
    await pause(1); // on one core, let the reader look
  }
  const [{ seen, findings, unfilled }] = await answers;
  deepEqual({ seen, unfilled }, { seen: ZONES_MAX, unfilled: [] });
  ok(findings >= FINDINGS, `${findings} findings are too few to show anything`);
});
