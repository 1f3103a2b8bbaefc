import { shim } from "../../ffi/shim.ts";
import type { Idle } from "../lcore/idle.ts";
import type { ForwardingMode, GuestLane } from "./guest_lane.ts";
import { Burst, BURST_DEFAULT } from "../ring/burst.ts";

/** Frames leave after this time even if there is no full burst of them (DPDK `BURST_TX_DRAIN_US`). */
const DRAIN_NS = 100_000;

/** Busy turns between two looks at the clock: a fraction of the drain time. */
const TURNS_PER_CLOCK = 16;

/**
 * A guest lcore's loop: from each lane a burst, the mode's work on it, and out.
 *
 * @param isOver Asked once a turn: told to stop, or retired by the host.
 * @param burstSize Frames that are received at a time, at most.
 */
export function forward(
  lanes: readonly GuestLane[],
  mode: ForwardingMode,
  isOver: () => boolean,
  idle: Idle,
  burstSize = BURST_DEFAULT,
): void {
  const burst = Burst.of(burstSize);
  let drained = 0;
  for (let turn = 0; !isOver(); turn++) {
    let moved = 0;
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[i];
      const received = lane.from.rxBurst(burst, burstSize);
      if (received > 0) lane.mbufs.prefetch(burst, received);
      const out = mode(burst, received, lane);
      if (out > 0) lane.out.add(burst, out);
      moved += received + out;
    }

    if (moved > 0) idle.reset();
    else idle.wait();
    if (moved > 0 && turn % TURNS_PER_CLOCK !== 0) continue;
    const now = shim.shim_clock();
    if (now - drained < DRAIN_NS) continue;
    drained = now;
    for (let i = 0; i < lanes.length; i++) lanes[i].out.flush();
  }
}
