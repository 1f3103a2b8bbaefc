import type { Mempool } from "./mempool.ts";

/** What ports need of a mempool. */
export type MbufSource = Pick<Mempool, "allocBurst" | "allocBulk" | "free" | "long">;

/**
 * For a port that only sends, and only frames that stay the caller's: it gets no mbuf, and frees
 * none.
 */
export const NO_MBUFS: MbufSource = {
  allocBurst: () => 0,
  allocBulk: () => 0,
  free() {},
  long: undefined,
};
