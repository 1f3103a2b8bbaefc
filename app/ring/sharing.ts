import { CulvertError } from "../../ffi/error.ts";
import { MPMC_END } from "../memory/layout.ts";
import { HtsEnd } from "./hts_end.ts";
import { MultiEnd } from "./multi_end.ts";
import type { RingShape } from "./ring.ts";
import type { EndPlace, RingEnd } from "./ring_end.ts";
import { RtsEnd } from "./rts_end.ts";
import { SingleEnd } from "./single_end.ts";

/**
 * How the threads that use an end of a ring agree (DPDK: `enum rte_ring_sync_type`).
 *
 * - `single`: one thread uses it;
 * - `multi`: several threads, in two steps: each waits for the threads that began before it;
 * - `hts`, head-tail-sync: several threads, one at a time: a thread that is preempted blocks only
 *   threads that come meanwhile;
 * - `rts`, relaxed-tail-sync: several threads at a time, none of which waits for threads that began
 *   before it.
 *
 * `hts` and `rts` are for more threads than cores, or vCPUs.
 */
export type Sharing = "single" | "multi" | "hts" | "rts";

/** What makes one ring differ from another of the same size. */
export interface MpmcShape extends RingShape {
  /** How producers agree; `multi` by default. */
  readonly producers?: Sharing;
  /** How consumers agree; `multi` by default. */
  readonly consumers?: Sharing;
  /**
   * Of an `rts` end: how far the head may be ahead of the tail, for this thread; by default an
   * eighth of the capacity (DPDK).
   */
  readonly headTailMax?: number;
}

/**
 * How far the head of an `rts` end may be ahead of the tail.
 *
 * @throws {CulvertError} if the shape asks for none, or more than there are slots.
 */
export function headTailMaxOf(shape: MpmcShape, capacity: number, size: number): number {
  const { headTailMax = Math.max(1, capacity >>> 3) } = shape;
  if (Number.isInteger(headTailMax) && headTailMax >= 1 && headTailMax <= size) return headTailMax;
  throw new CulvertError(
    `Cannot use a ring whose head may be ${headTailMax} ahead of the tail: 1 to its size, ` +
      `${size}, are possible`,
  );
}

/** Make an end. Of an `rts` end the head may be `headTailMax` ahead of the tail. */
export function endOf(sharing: Sharing, headTailMax: number, place: EndPlace): RingEnd {
  switch (sharing) {
    case "single":
      return new SingleEnd(place);
    case "multi":
      return new MultiEnd(place);
    case "hts":
      return new HtsEnd(place);
    case "rts":
      return new RtsEnd(place, headTailMax);
  }
}

/** The word of an end's head, counted from the first word of the end's line. */
export function headWord(sharing: Sharing): number {
  return sharing === "rts" ? MPMC_END.RTS_HEAD : MPMC_END.HEAD;
}

/** Hand over the first `n` of `claimed` slots, fewer than all, and give back the others. */
export function finishPart(end: RingEnd, sharing: Sharing, n: number, claimed: number): void {
  const isPart = Number.isInteger(n) && n >= 0 && n < claimed;
  if (isPart && end.finishPart(n)) return;
  const wanted = isPart
    ? `an end of mode ${sharing} gives nothing back; use single or hts`
    : "no more than that is possible";
  throw new CulvertError(
    `Cannot hand over ${n} slots of a ring as ${claimed} are claimed: ${wanted}`,
  );
}

/** Refuse a second claim at an end where slots are worked on in place. */
export function refuseSecond(what: "reserved" | "peeked"): never {
  const end = what === "reserved" ? "commit" : "finish";
  throw new CulvertError(
    `Cannot use an end of a ring as slots are ${what} there: ${end}() them first`,
  );
}
