import type { Mempool } from "./mempool.ts";

/** What ports need of a mempool. */
export type MbufSource = Pick<Mempool, "allocBurst" | "allocBulk" | "free" | "long">;

/** For a port that only sends, and what stays its caller's: no mbuf comes, and none goes back. */
export const NO_MBUFS: MbufSource = {
  allocBurst: () => 0,
  allocBulk: () => 0,
  free() {},
  long: undefined,
};
