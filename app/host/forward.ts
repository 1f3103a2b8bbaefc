import { shim } from "../../ffi/shim.ts";
import { COMMAND, type CommandWord } from "../lcore/command.ts";
import type { Idle } from "../lcore/idle.ts";
import type { GateFollower } from "./gate.ts";
import type { Lane } from "./lane.ts";

/** Nanoseconds between two looks at ports that were down. */
const REFRESH_NS = 100e6;

/** Busy turns between two looks at the clock. */
const TURNS_PER_CLOCK = 256;

/**
 * A host lcore's loop: in each turn, for each lane, a burst from port to guest and a burst back.
 *
 * While the host drains, it receives from links alone: their frames are on the way between guests.
 */
export class HostLoop {
  readonly #lanes: readonly Lane[];
  readonly #gates: readonly GateFollower[];
  readonly #command: CommandWord;
  readonly #idle: Idle;
  readonly #clock: () => number;
  #turn = 0;
  #refreshedAt = 0;
  readonly #startedAt: number;

  /**
   * A loop that has not begun.
   *
   * @param lanes Ports with their channels; no other lcore touches them.
   * @param gates The gates of all guests that the lanes lead to.
   * @param clock Nanoseconds that have passed since some moment.
   */
  constructor(
    lanes: readonly Lane[],
    gates: readonly GateFollower[],
    command: CommandWord,
    idle: Idle,
    clock: () => number = shim.shim_clock,
  ) {
    this.#lanes = lanes;
    this.#gates = gates;
    this.#command = command;
    this.#idle = idle;
    this.#clock = clock;
    this.#startedAt = clock();
  }

  /** One turn of the loop; false if it was the last one. */
  turn(): boolean {
    const command = this.#command.value;
    const lanes = this.#lanes;
    const gates = this.#gates;
    for (let i = 0; i < gates.length; i++) gates[i].follow();

    let moved = 0;
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[i];
      if (command === COMMAND.RUN || lane.isLink) moved += lane.hostToGuest();
      moved += lane.guestToHost();
      moved += lane.takeGiveback();
      lane.lendMbufs();
    }

    // Before it sleeps: an lcore that is woken has other things to do.
    if (moved > 0 ? this.#turn % TURNS_PER_CLOCK === 0 : !this.#idle.looksOn) this.#lookAtClock();
    this.#turn = this.#turn + 1 | 0;
    if (moved > 0) this.#idle.reset();
    else this.#idle.wait();
    return command !== COMMAND.STOP;
  }

  /** Several times a second: refresh ports and counters, and have ports that are up end a sleep. */
  #lookAtClock(): void {
    const now = this.#clock();
    if (now - this.#refreshedAt < REFRESH_NS) return;
    this.#refreshedAt = now;
    const lanes = this.#lanes;
    const idleNs = this.#idle.nanosecondsUntil(now);
    for (const lane of lanes) lane.refresh(now - this.#startedAt, idleNs);
    if (lanes.length > 0) lanes[0].countFalseAlarms(this.#idle.falseAlarms);
    this.#idle.watch([this.#command.handle.wakeFd, ...lanes.flatMap((lane) => lane.port.pollable)]);
  }
}
