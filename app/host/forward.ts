import { shim } from "../../ffi/shim.ts";
import { COMMAND, type CommandWord } from "../lcore/command.ts";
import type { Idle } from "../lcore/idle.ts";
import type { GateFollower } from "./gate.ts";
import type { Lane } from "./lane.ts";

/** Nanoseconds between two looks at ports that were down, and turns between two looks at the clock. */
const REFRESH_NS = 100e6;
const TURNS_PER_CLOCK = 256;

/**
 * A host lcore's loop: for each lane a burst from port to guest and a burst back, until told to stop.
 * While it drains, only links are received from: their frames are under way between guests.
 *
 * @param lanes Ports with their channels; no other lcore touches them.
 * @param gates The gates of all guests that the lanes lead to.
 */
export function forward(
  lanes: readonly Lane[],
  gates: readonly GateFollower[],
  command: CommandWord,
  idle: Idle,
): void {
  let refreshed = 0;
  for (let turn = 0, now = COMMAND.RUN as number; now !== COMMAND.STOP; turn++) {
    now = command.value;
    for (let i = 0; i < gates.length; i++) gates[i].follow();

    let moved = 0;
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[i];
      if (now === COMMAND.RUN || lane.isLink) moved += lane.hostToGuest();
      moved += lane.guestToHost();
      moved += lane.takeGiveback();
      lane.lendMbufs();
    }

    if (moved > 0) idle.reset();
    else idle.wait();
    if (moved > 0 && turn % TURNS_PER_CLOCK !== 0) continue;
    const clock = shim.shim_clock();
    if (clock - refreshed < REFRESH_NS) continue;
    refreshed = clock;
    refresh(lanes, command, idle);
  }
}

/** See after ports that were down or are back; sleep on those that are up. */
function refresh(lanes: readonly Lane[], command: CommandWord, idle: Idle): void {
  for (const lane of lanes) lane.refresh();
  if (lanes.length > 0) lanes[0].countFalseAlarms(idle.falseAlarms);
  idle.watch([command.handle.wakeFd, ...lanes.flatMap((lane) => lane.port.pollable)]);
}
