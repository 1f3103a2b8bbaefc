import { deepEqual, equal, ok } from "node:assert/strict";
import { Mempool } from "../../app/mempool/mempool.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { MempoolAnswer, MempoolOrder } from "./mempool_worker.ts";
import { Burst } from "../../app/ring/burst.ts";

const url = new URL("./mempool_worker.ts", import.meta.url);

/** Mbufs that each has to allocate to show anything. */
const ENOUGH = 100;

/** `deno test ... tests/mempool -- --seconds 15` runs longer. */
const seconds = Number(Deno.args[Deno.args.indexOf("--seconds") + 1] ?? 0.4) || 0.4;

// 400 are less than the two Workers would like to hold, so that they meet at the bottom.
for (const [total, cacheSize] of [[400, 0], [400, 32], [4096, 256]]) {
  Deno.test(`Mempool of ${total} with caches of ${cacheSize}: two Workers never hold one mbuf`, async () => {
    const pool = Mempool.create(total, 0);
    const order = {
      handle: pool.handle,
      cacheSize,
      workers: 2,
      milliseconds: seconds * 1000,
      enough: ENOUGH,
      shared: new Int32Array(new SharedArrayBuffer(4)),
      held: new Uint8Array(new SharedArrayBuffer(total)),
    };
    const answers = await runWorkers<MempoolOrder, MempoolAnswer>(url, [
      { ...order, seed: 1 },
      { ...order, seed: 2 },
    ]);
    for (const { allocated, wrong, partial } of answers) {
      deepEqual({ wrong, partial }, { wrong: 0, partial: 0 });
      ok(allocated > ENOUGH, `only ${allocated} were allocated: too few to show anything`);
    }
    equal(pool.available, total);
    const burst = Burst.of(total);
    let n = 0;
    while (n < total) n += pool.allocBurst(burst, Math.min(500, total - n), n) || total;
    equal(
      new Set(burst.words.filter((_, word) => word % 2 === 0)).size,
      total,
      "each is there once",
    );
    new MappedMemory(pool.handle.memory).close();
  });
}
