import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { SleepFlag } from "../channel/sleep_flag.ts";
import type { Alarm } from "../lcore/idle.ts";
import type { GuestLane } from "./guest_lane.ts";
import type { TxBuffer } from "./tx_buffer.ts";

/** Wakes a guest's lcore when the host has lent something on one of its channels. */
export class GuestAlarm implements Alarm {
  readonly fds: readonly number[];
  readonly #flags: SleepFlag[] = [];
  readonly #lanes: GuestLane[] = [];

  /**
   * For no lane yet: see {@linkcode add}.
   *
   * @param memory The region's memory.
   * @param outputs Where frames may wait to be sent.
   * @param wake The eventfd of our vector, and its number; undefined if nothing wakes this lcore.
   */
  constructor(
    private readonly memory: MappedMemory,
    private readonly outputs: readonly TxBuffer[],
    private readonly wake?: { readonly fd: number; readonly vector: number },
  ) {
    this.fds = wake ? [wake.fd] : [];
  }

  /** Sleep only while this lane has nothing to do. The flag is that of its rx channel. */
  add(lane: GuestLane): void {
    this.#flags.push(new SleepFlag(this.memory, lane.from.sleepWord, this.wake?.vector));
    this.#lanes.push(lane);
  }

  /** Whether it ever rings. */
  get canNotify(): boolean {
    return this.wake !== undefined;
  }

  raise(): void {
    for (const flag of this.#flags) flag.raise();
  }

  lower(): void {
    for (const flag of this.#flags) flag.lower();
  }

  hasWork(): boolean {
    return this.#lanes.some(({ from }) => from.hasWork) ||
      this.outputs.some((output) => !output.isEmpty);
  }
}
