/**
 * The mempool benchmark's lcore: allocates and frees, pinned to its core.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { shim } from "../ffi/shim.ts";
import { Mempool } from "../app/mempool/mempool.ts";
import { Burst } from "../app/ring/burst.ts";

/** What the worker is sent. */
export interface MempoolBenchOrder {
  readonly core: number;
  /** Mbufs of the mempool, and of the cache in front of it. */
  readonly total: number;
  readonly cacheSize: number;
  readonly burst: number;
  /** Mbufs held before they are freed. */
  readonly held: number;
  readonly mbufs: number;
}

let pool: Mempool | undefined;

/** As the peer, bench/peers/rte_mempool.c. */
function run(pool: Mempool, held: Burst, burst: number, mbufs: number): void {
  const { capacity } = held;
  for (let left = mbufs; left > 0; left -= capacity) {
    for (let i = 0; i < capacity; i += burst) {
      if (pool.allocBulk(held, burst, i) === 0) throw new Error("the mempool is empty");
    }
    for (let i = 0; i < capacity; i += burst) pool.free(held, burst, i);
  }
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<MempoolBenchOrder>) => void;
  postMessage(nanoseconds: number): void;
};

scope.onmessage = ({ data: { core, total, cacheSize, burst, held, mbufs } }) => {
  if (pool === undefined) check(shim.shim_thread_pin(core), `pin to core ${core}`);
  pool ??= Mempool.create(total, { cacheSize });
  const descriptors = Burst.of(held);
  const start = shim.shim_clock();
  run(pool, descriptors, burst, mbufs);
  const nanoseconds = shim.shim_clock() - start;
  if (pool.available !== total) throw new Error(`${pool.inUse} mbufs are lost`);
  scope.postMessage(nanoseconds);
};
