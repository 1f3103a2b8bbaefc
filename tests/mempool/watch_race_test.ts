import { deepEqual, equal } from "node:assert/strict";
import { MempoolWatch } from "../../app/mempool/mempool_watch.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { WatchRaceOrder } from "./watch_race_worker.ts";

const BURST = 16, COUNT = 2000 * BURST;

for (const call of ["allocate", "free"] as const) {
  Deno.test(`MempoolWatch.${call}() by two Workers at the same time: of an mbuf, just one is let`, async () => {
    const watch = MempoolWatch.create(COUNT);
    const user = watch.addUser("host");
    for (let i = 0; call === "free" && i < COUNT; i++) watch.allocate(i, user);
    const order = {
      watch: watch.handle,
      call,
      burst: BURST,
      shared: new Int32Array(new SharedArrayBuffer(12)),
      wins: new Uint8Array(new SharedArrayBuffer(COUNT)),
    };
    const won = await runWorkers<WatchRaceOrder, number>(
      new URL("./watch_race_worker.ts", import.meta.url),
      [{ ...order, id: 0 }, { ...order, id: 1 }],
    );
    const wrong = order.wins.findIndex((times) => times !== 1);
    equal(wrong, -1, `mbuf ${wrong} was let ${order.wins[wrong]} times`);
    equal(won[0] + won[1], COUNT);
    const { state, times } = watch.look(COUNT - 1);
    deepEqual({ state, times }, { state: call === "free" ? "free" : "allocated", times: 1 });
    new MappedMemory(watch.handle.memory).close();
  });
}
