import type { WatchedMbuf } from "./mempool_watch.ts";

/** What a checked mempool found. */
export interface MempoolProblem {
  /**
   * `double free`: the mbuf was free. `foreign free`: it is not of this mempool. `part freed`: it
   * is one of several segments, or has other references. `given twice`: it came out of the free
   * ring although it was allocated, or does not exist. `overrun`, `underrun`: bytes behind, or in
   * front of, what a frame may use were written.
   */
  readonly kind:
    | "double free"
    | "foreign free"
    | "part freed"
    | "given twice"
    | "overrun"
    | "underrun";
  /** The mbuf. */
  readonly index: number;
  /** The user whose call found it. */
  readonly user: string;
  /**
   * What was known of the mbuf then, such as its last user; undefined if it is not of this mempool.
   */
  readonly last?: WatchedMbuf;
  /** All of that in a sentence. */
  readonly message: string;
}

/** The last user of an mbuf, in words. */
export function inWords({ state, user, times, secondsAgo }: WatchedMbuf): string {
  if (state === "spoiled") return "its record was written over";
  const verb = state === "free" ? "freed" : "allocated";
  return `${user} ${verb} it ${secondsAgo.toFixed(3)} s ago, allocation ${times} of it`;
}
