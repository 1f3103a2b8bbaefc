import { shim } from "../../ffi/shim.ts";
import { MempoolWatch, type MempoolWatchHandle } from "../../app/mempool/mempool_watch.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** What each of the two Workers is to do. */
export interface WatchRaceOrder {
  readonly watch: MempoolWatchHandle;
  readonly call: "allocate" | "free";
  /** Mbufs of a round. */
  readonly burst: number;
  /** Word 0 the start line, 1 and 2 how far each Worker is. */
  readonly shared: StartLine;
  readonly id: 0 | 1;
  /** How often each mbuf was allocated, or freed. */
  readonly wins: Uint8Array<SharedArrayBuffer>;
}

/** Allocate or free every mbuf, in step with the other Worker. Answers how many it got. */
serveOrder(({ watch: handle, call, burst, shared, id, wins }: WatchRaceOrder): number => {
  const watch = new MempoolWatch(handle);
  const user = watch.addUser(`worker ${id}`);
  let won = 0;
  meetAt(shared, 2);
  for (let first = 0; first < handle.count; first += burst) {
    Atomics.store(shared, 1 + id, first + 1);
    for (let spins = 0; Atomics.load(shared, 2 - id) <= first; spins++) {
      if (spins > 1e7) throw new Error("the other Worker is gone");
      if (spins > 1000) shim.shim_yield();
    }
    for (let index = first; index < first + burst; index++) {
      if (!watch[call](index, user)) continue;
      Atomics.add(wins, index, 1);
      won++;
    }
  }
  return won;
});
