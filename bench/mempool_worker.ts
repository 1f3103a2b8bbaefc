/**
 * The mempool benchmark's lcore: allocates and frees, pinned to its core.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { shim } from "../ffi/shim.ts";
import { IndexBurst } from "../app/mempool/index_burst.ts";
import { Mempool } from "../app/mempool/mempool.ts";

/** What the worker is sent. */
export interface MempoolBenchOrder {
  readonly core: number;
  /** Mbufs of the mempool, and of the cache in front of it. */
  readonly total: number;
  readonly cacheSize: number;
  /** `indexes` are what DPDK's pointers are; `descriptors` are what ports and rings take, twice as long. */
  readonly what: "indexes" | "descriptors";
  readonly burst: number;
  /** Mbufs held before they are freed. */
  readonly held: number;
  readonly mbufs: number;
}

let pool: Mempool | undefined;

// As the peer, bench/peers/rte_mempool.c. Functions of their own, so that V8 optimizes each for itself.

function indexes(pool: Mempool, bursts: IndexBurst[], burst: number, mbufs: number): void {
  const n = bursts.length;
  for (let left = mbufs; left > 0; left -= n * burst) {
    for (let i = 0; i < n; i++) {
      if (pool.allocIndexBulk(bursts[i], burst) === 0) throw new Error("the mempool is empty");
    }
    for (let i = 0; i < n; i++) pool.freeIndexes(bursts[i], burst);
  }
}

function descriptors(pool: Mempool, words: Uint32Array, burst: number, mbufs: number): void {
  const held = words.length >>> 1;
  for (let left = mbufs; left > 0; left -= held) {
    for (let i = 0; i < held; i += burst) {
      if (pool.allocBulk(words, burst, i) === 0) throw new Error("the mempool is empty");
    }
    for (let i = 0; i < held; i += burst) pool.free(words, burst, i);
  }
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<MempoolBenchOrder>) => void;
  postMessage(nanoseconds: number): void;
};

scope.onmessage = ({ data: { core, total, cacheSize, what, burst, held, mbufs } }) => {
  if (pool === undefined) check(shim.shim_thread_pin(core), `pin to core ${core}`);
  pool ??= Mempool.create(total, { cacheSize });
  const bursts = Array.from({ length: held / burst }, () => new IndexBurst(burst));
  const words = new Uint32Array(2 * held);
  const start = shim.shim_clock();
  if (what === "indexes") indexes(pool, bursts, burst, mbufs);
  else descriptors(pool, words, burst, mbufs);
  const nanoseconds = shim.shim_clock() - start;
  if (pool.available !== total) throw new Error(`${pool.inUse} mbufs are lost`);
  scope.postMessage(nanoseconds);
};
