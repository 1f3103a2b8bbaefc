import { CulvertError } from "../../ffi/error.ts";
import type { Functions } from "./function/load.ts";
import type { LcoreLegacy } from "./guest_lcore.ts";
import type { LoadedVersion } from "./lcore_run.ts";

/** How a swap went. */
export interface Swapped {
  /** Milliseconds in which no lcore forwarded. */
  readonly pauseMs: number;
  /** Frames that the guest's ports could not send meanwhile. */
  readonly lost: number;
}

/**
 * Lcores that take over from others. The others stop; those that take over start; if they cannot be
 * set up, the others go back to work.
 */
export class FunctionSwap {
  /** The others stop; those that take over start; the others go back to work. */
  phase: "stopping" | "starting" | "back" = "stopping";
  /** What the lcores that stop have left. */
  legacy: readonly LcoreLegacy[] = [];
  /** Why those that were to take over could not. */
  error?: Error;
  /** Settles once lcores forward. */
  readonly done: Promise<Swapped>;
  readonly #settled = Promise.withResolvers<Swapped>();

  /**
   * A swap that begins now.
   *
   * @param since The time in milliseconds.
   * @param dropped Frames that could not be sent until now.
   */
  constructor(
    readonly last: LoadedVersion,
    readonly next: LoadedVersion,
    private readonly since: number,
    private readonly dropped: number,
  ) {
    this.done = this.#settled.promise;
  }

  /** Say how it went; returns whether {@linkcode next} forwards now. */
  settle(now: number, isStopping: boolean, dropped: number): boolean {
    const error = isStopping ? new CulvertError("the guest stops") : this.error;
    if (error !== undefined || this.phase === "stopping") {
      this.#settled.reject(error ?? new CulvertError("an lcore has failed"));
      return false;
    }
    this.#settled.resolve({ pauseMs: now - this.since, lost: dropped - this.dropped });
    return true;
  }
}

/**
 * Check that functions can follow others in the place that a guest has.
 *
 * @param isLent Whether the host lends it mbufs.
 * @throws {CulvertError} if they make frames, and the host lends no mbufs for that.
 */
export function checkSuccessor({ originates }: Functions, isLent: boolean): void {
  if (!originates || isLent) return;
  throw new CulvertError("Cannot swap as it makes frames now (originates): start culvert anew");
}
