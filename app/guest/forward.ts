import { shim } from "../../ffi/shim.ts";
import type { Idle } from "../lcore/idle.ts";
import type { Chain } from "./function/chain.ts";
import type { GuestLane } from "./guest_lane.ts";
import type { TxBuffer } from "./tx_buffer.ts";

/**
 * Frames leave after this time even if the burst is not full (DPDK `BURST_TX_DRAIN_US`), or after a
 * turn that found less than a burst: then there is nothing to wait for.
 */
const DRAIN_NS = 100_000;

/** Nanoseconds between two reports that the loop runs, and between two of how busy it is. */
const ROUNDS_NS = 100e6, BUSY_NS = 1e9;

/** Busy turns between two looks at the clock: a fraction of the drain time. */
const TURNS_PER_CLOCK = 16;

/** A guest lcore's loop: in each turn a burst of each lane goes through the functions, and out. */
export class GuestLoop {
  readonly #lanes: readonly GuestLane[];
  readonly #outputs: readonly TxBuffer[];
  readonly #chain: Chain;
  readonly #isOver: () => boolean;
  readonly #beat: () => void;
  readonly #tellBusy: (share: number) => void;
  readonly #idle: Idle;
  readonly #clock: () => number;
  readonly #burst: number;
  #turn = 0;
  #flushedAt = 0;
  #toldAt = 0;
  /** When the loop last reported how busy it is, and for how long it had been idle by then. */
  #busySince = 0;
  #idleNs = 0;

  /**
   * A loop that has not begun.
   *
   * @param outputs All that lanes send to.
   * @param isOver Asked once a turn: told to stop, or retired by the host.
   * @param beat Says that the guest is alive: in a VM the main thread may have no time for that for
   * seconds, while it starts Workers for functions that take over.
   * @param tellBusy Told which share of the last second the loop had work, 0 to 1.
   * @param clock Nanoseconds that have passed since some moment.
   */
  constructor(
    lanes: readonly GuestLane[],
    outputs: readonly TxBuffer[],
    chain: Chain,
    isOver: () => boolean,
    beat: () => void,
    tellBusy: (share: number) => void,
    idle: Idle,
    clock: () => number = shim.shim_clock,
  ) {
    this.#lanes = lanes;
    this.#outputs = outputs;
    this.#burst = Math.min(...outputs.map(({ burst }) => burst));
    this.#chain = chain;
    this.#isOver = isOver;
    this.#beat = beat;
    this.#tellBusy = tellBusy;
    this.#idle = idle;
    this.#clock = clock;
  }

  /** One turn of the loop; false, with nothing done, if the loop is over. */
  turn(): boolean {
    if (this.#isOver()) return false;
    const lanes = this.#lanes;
    const chain = this.#chain;
    let moved = 0;
    for (let i = 0; i < lanes.length; i++) moved += lanes[i].turn(chain);

    if (moved < this.#burst) this.flush();
    // Before it sleeps: an lcore that is woken has other things to do.
    if (moved > 0 ? this.#turn % TURNS_PER_CLOCK === 0 : !this.#idle.looksOn) this.#lookAtClock();
    this.#turn = this.#turn + 1 | 0;
    if (moved > 0) this.#idle.reset();
    else this.#idle.wait();
    return true;
  }

  /** Send what has waited for a full burst. */
  flush(): void {
    for (const output of this.#outputs) output.flush();
  }

  #lookAtClock(): void {
    const now = this.#clock();
    if (now - this.#flushedAt < DRAIN_NS) return;
    this.#flushedAt = now;
    this.flush();
    this.#chain.tick(now / 1e6);
    if (now - this.#toldAt < ROUNDS_NS) return;
    this.#toldAt = now;
    this.#beat();
    this.#lookHowBusy(now);
    for (const { from } of this.#lanes) from.tellRounds();
  }

  #lookHowBusy(now: number): void {
    const passed = now - this.#busySince;
    if (passed < BUSY_NS) return;
    const idleNs = this.#idle.nanosecondsUntil(now);
    if (this.#busySince > 0) this.#tellBusy(1 - (idleNs - this.#idleNs) / passed);
    this.#busySince = now;
    this.#idleNs = idleNs;
  }
}
