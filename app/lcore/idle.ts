import { shim } from "../../ffi/shim.ts";

/** How an lcore waits that has nothing to do. */
export type IdleMode = "poll" | "backoff";

/** The idle modes, for the command line. */
export const IDLE_MODES: readonly IdleMode[] = ["poll", "backoff"];

const SPINS = 2000;
const SLEEP_MIN_US = 50;
const SLEEP_MAX_US = 1000;

/**
 * What an lcore does when a turn of its loop found nothing. `poll` pauses for some cycles and looks again. `backoff`
 * does so for a while, then sleeps until a port has frames, 50 us at first and 1 ms in the end
 * (Agrona `BackoffIdleStrategy`): a frame from a guest may wait that long.
 */
export class Idle {
  readonly #sleeps: boolean;
  #fds = new Int32Array(0);
  #turns = 0;
  #microseconds = SLEEP_MIN_US;

  /** Only time ends a sleep until {@linkcode watch} names descriptors. */
  constructor(mode: IdleMode) {
    this.#sleeps = mode === "backoff";
  }

  /** Wake on these descriptors from now on. */
  watch(fds: number[]): void {
    this.#fds = Int32Array.from(fds);
  }

  /** A turn found work. */
  reset(): void {
    this.#turns = 0;
    this.#microseconds = SLEEP_MIN_US;
  }

  /** A turn found nothing. */
  wait(): void {
    if (!this.#sleeps || this.#turns++ < SPINS) {
      shim.shim_pause(4);
      return;
    }
    shim.shim_poll(this.#fds, this.#fds.length, this.#microseconds);
    this.#microseconds = Math.min(this.#microseconds * 2, SLEEP_MAX_US);
  }
}
