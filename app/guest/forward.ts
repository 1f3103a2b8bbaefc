import { shim } from "../../ffi/shim.ts";
import type { Idle } from "../lcore/idle.ts";
import { Burst } from "../ring/burst.ts";
import type { ForwardingMode, GuestLane } from "./guest_lane.ts";

/** Frames leave after this time even if the burst is not full (DPDK `BURST_TX_DRAIN_US`). */
const DRAIN_NS = 100_000;

/** Nanoseconds between two times that the loop tells that it comes round. */
const ROUNDS_NS = 100e6;

/** Busy turns between two looks at the clock: a fraction of the drain time. */
const TURNS_PER_CLOCK = 16;

/** A guest lcore's loop: in each turn, from each lane a burst, the mode's work on it, and out. */
export class GuestLoop {
  readonly #lanes: readonly GuestLane[];
  readonly #mode: ForwardingMode;
  readonly #isOver: () => boolean;
  readonly #idle: Idle;
  readonly #burst: Burst;
  readonly #clock: () => number;
  #turn = 0;
  #flushedAt = 0;
  #toldAt = 0;

  /**
   * A loop that has not begun.
   *
   * @param isOver Asked once a turn: told to stop, or retired by the host.
   * @param burst Frames that are received at a time, at most.
   * @param clock Nanoseconds that have passed since some moment.
   */
  constructor(
    lanes: readonly GuestLane[],
    mode: ForwardingMode,
    isOver: () => boolean,
    idle: Idle,
    burst: number,
    clock: () => number = shim.shim_clock,
  ) {
    this.#lanes = lanes;
    this.#mode = mode;
    this.#isOver = isOver;
    this.#idle = idle;
    this.#burst = Burst.of(burst);
    this.#clock = clock;
  }

  /** One turn of the loop; false, with nothing done, if the loop is over. */
  turn(): boolean {
    if (this.#isOver()) return false;
    const lanes = this.#lanes;
    const burst = this.#burst;
    const mode = this.#mode;
    let moved = 0;
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[i];
      const received = lane.from.rxBurst(burst, burst.capacity);
      if (received > 0) lane.mbufs.prefetch(burst, received);
      const out = mode(burst, received, lane);
      if (out > 0) lane.out.add(burst, out);
      moved += received + out;
    }

    if (moved > 0) this.#idle.reset();
    else this.#idle.wait();
    if (moved === 0 || this.#turn % TURNS_PER_CLOCK === 0) this.#lookAtClock();
    this.#turn = this.#turn + 1 | 0;
    return true;
  }

  /** Send what has waited for a full burst. */
  flush(): void {
    for (const { out } of this.#lanes) out.flush();
  }

  #lookAtClock(): void {
    const now = this.#clock();
    if (now - this.#flushedAt < DRAIN_NS) return;
    this.#flushedAt = now;
    this.flush();
    if (now - this.#toldAt < ROUNDS_NS) return;
    this.#toldAt = now;
    for (const { from } of this.#lanes) from.tellRounds();
  }
}
