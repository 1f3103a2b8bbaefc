import { Mempool } from "../../app/mempool/mempool.ts";
import type { MempoolHandle } from "../../app/mempool/mempool_handle.ts";
import { Random } from "../kit/random.ts";
import { meetAt, serveOrder, type StartLine, timeUp } from "../ffi/run_workers.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What each Worker is to do. */
export interface MempoolOrder {
  readonly handle: MempoolHandle;
  readonly cacheSize: number;
  readonly seed: number;
  readonly workers: number;
  readonly milliseconds: number;
  /** Mbufs to allocate at least, if that takes longer. */
  readonly enough: number;
  readonly shared: StartLine;
  /** 1 for each mbuf that somebody holds. */
  readonly held: Uint8Array<SharedArrayBuffer>;
}

/** What it saw. */
export interface MempoolAnswer {
  readonly allocated: number;
  /** Mbufs given to it while somebody held them, or that do not exist. */
  readonly wrong: number;
  /** Bulks of which a part came. */
  readonly partial: number;
}

const HOLD_MAX = 300;

/** Allocate and free at random, never holding more than 300; in the end give all back. */
serveOrder((order: MempoolOrder): MempoolAnswer => {
  const pool = Mempool.attach(order.handle, order.cacheSize);
  const random = new Random(order.seed);
  const burst = Burst.of(HOLD_MAX);
  let mine = 0, allocated = 0, wrong = 0, partial = 0;

  const free = (n: number) => {
    for (let i = mine - n; i < mine; i++) Atomics.store(order.held, burst.words[2 * i], 0);
    pool.free(burst, n, mine - n);
    mine -= n;
  };

  meetAt(order.shared, order.workers);
  const isUp = timeUp(order.milliseconds, order.enough);
  while (!isUp(allocated)) {
    const n = 1 + random.below(64);
    const isBulk = random.below(2) === 1;
    if (mine + n > HOLD_MAX || random.below(2) === 1) free(Math.min(n, mine));
    else {
      const got = isBulk ? pool.allocBulk(burst, n, mine) : pool.allocBurst(burst, n, mine);
      if (isBulk && got !== 0 && got !== n) partial++;
      for (let i = mine; i < mine + got; i++) {
        const index = burst.words[2 * i];
        if (index >= order.handle.total || Atomics.exchange(order.held, index, 1) === 1) wrong++;
      }
      mine += got;
      allocated += got;
    }
  }
  free(mine);
  pool.close();
  return { allocated, wrong, partial };
});
