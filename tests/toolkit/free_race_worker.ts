import { shim } from "../../ffi/shim.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Frames } from "../../app/toolkit/frames.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { MbufMetadata, type MbufMetadataHandle } from "../../app/toolkit/mbuf_metadata.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import type { MempoolHandle } from "../../app/mempool/mempool_handle.ts";
import { meetAt, serveOrder, type StartLine, timeUp } from "../ffi/run_workers.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What each Worker is to do. */
export interface FreeRaceOrder {
  readonly mempool: MempoolHandle;
  readonly metadata: MbufMetadataHandle;
  readonly stride: number;
  readonly self: number;
  readonly workers: number;
  readonly milliseconds: number;
  /** Rounds at least, if they take longer. */
  readonly enough: number;
  /** The descriptors of a round, which Worker 0 writes. */
  readonly words: Uint32Array<SharedArrayBuffer>;
  /**
   * Word 0: where they meet at first; 1: rounds begun, by Worker 0; 2: Workers done, in all rounds.
   */
  readonly shared: StartLine;
}

/** How many rounds there were, and the mbufs lost in the first that lost any. */
export interface FreeRaceAnswer {
  readonly rounds: number;
  readonly lost: number;
}

const ENDED = -1;

/** Round after round, all Workers free the same frames, in the same order, at the same time. */
serveOrder((order: FreeRaceOrder): FreeRaceAnswer => {
  const { workers, shared } = order;
  const { total } = order.mempool;
  const burst = Burst.of(total);
  const pool = Mempool.attach(order.mempool, 0);
  const memory = MappedMemory.ofProcess(total * order.stride);
  const mbufs = new Mbufs(memory, { offset: 0, stride: order.stride, count: total }, false);
  const frames = new Frames(pool, mbufs, new MbufMetadata(order.metadata));
  let rounds = 0, lost = 0;

  const waitFor = (word: number, isThere: (value: number) => boolean): number => {
    for (let spins = 0;; spins++) {
      const value = Atomics.load(shared, word);
      if (isThere(value)) return value;
      if (spins > 1000) shim.shim_yield();
    }
  };
  meetAt(shared, workers);
  const isUp = timeUp(order.milliseconds, order.enough);
  while (true) {
    if (order.self === 0) {
      lost = pool.inUse;
      if (lost > 0 || isUp(rounds)) break;
      for (let n = 0; n < total;) n += pool.allocBurst(burst, 64, n);
      for (let i = 0; i < total; i++) frames.addReferences(burst, i, workers - 1);
      order.words.set(burst.words);
      Atomics.add(shared, 1, 1);
    } else if (waitFor(1, (begun) => begun !== rounds) === ENDED) break;
    rounds++;
    burst.words.set(order.words);
    frames.free(burst, total);
    Atomics.add(shared, 2, 1);
    if (order.self === 0) waitFor(2, (done) => done === rounds * workers);
  }
  if (order.self === 0) Atomics.store(shared, 1, ENDED);
  memory.close();
  return { rounds, lost };
});
