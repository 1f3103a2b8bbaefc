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
 * New lcores take over from old ones. The old ones stop, and the new ones start; if these cannot be
 * set up, the old ones go back to work.
 */
export class FunctionSwap {
  /** The old lcores stop; the new ones start; the old ones go back to work. */
  phase: "stopping" | "starting" | "back" = "stopping";
  /** What the old lcores have left. */
  legacy: readonly LcoreLegacy[] = [];
  /** Why the new lcores could not take over. */
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

  /** Say at once that it fails. The old lcores go back to work once all of them have ended. */
  fail(error: Error): void {
    this.error ??= error;
    this.#settled.reject(this.error);
  }

  /** Whether the new lcores are not to take over, should they begin after all. */
  get isGivenUp(): boolean {
    return this.phase === "starting" && this.error !== undefined;
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
 * Check that functions can take over from others in the place that a guest has.
 *
 * @param isLent Whether the host lends it mbufs.
 * @throws {CulvertError} if they make frames, and the host lends no mbufs for that.
 */
export function checkSuccessor({ originates }: Functions, isLent: boolean): void {
  if (!originates || isLent) return;
  throw new CulvertError(
    "Cannot swap as the functions make frames now (originates): start culvert anew",
  );
}
