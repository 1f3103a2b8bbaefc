/**
 * What a hostile guest costs an lcore that also serves a sound one, in one thread: the median time
 * that a turn of the host's loop takes, with and without an attack by turns. Other programs, which
 * disturb rates between processes, disturb both alike.
 *
 * @module
 */
import { burstOf } from "../kit/burst_of.ts";
import { shim } from "../../ffi/shim.ts";
import { TestHost } from "../host/test_host.ts";

/** What was found. */
export interface TurnCosts {
  /** The share of its rate that a sound guest keeps while the other floods its rings with lies. */
  readonly left: number;
  /** Turns until it was shut out; they are 10 ms long for the supervisor. */
  readonly turnsUntilQuarantine: number;
}

const SLICES = 60, SLICE_TURNS = 60;

/** Measure. With `quarantineAfter` 0 nobody is ever shut out. */
export function measureTurns(quarantineAfter?: number): TurnCosts {
  const times: [quiet: number[], attacked: number[]] = [[], []];
  let turnsUntilQuarantine = 0;
  using lab = new TestHost({
    places: { a: { 0: "null" }, b: { 0: "q" } },
    quarantineAfter,
    mbufs: 300,
  });
  lab.attach("a0", "b0");
  const lies = burstOf(Array.from({ length: 64 }, (_, i) => 0xff0000 + i));
  const { tx, giveback } = lab.guests.b0.channels[0];
  const flood = () => {
    tx.enqueueBurst(lies, 32);
    giveback.enqueueBurst(lies, 32);
  };
  for (
    ;
    quarantineAfter !== 0 && !lab.hosted("b0").supervisor.isQuarantined;
    turnsUntilQuarantine++
  ) {
    flood();
    lab.turn();
  }
  lab.turns(20);
  for (let slice = 0; slice < 2 * SLICES; slice++) {
    for (let turn = 0; turn < SLICE_TURNS; turn++) {
      lab.guests.a0.forward(0, 0);
      if (slice % 2 === 1) flood();
      const start = shim.shim_clock();
      lab.turn();
      times[slice % 2].push(shim.shim_clock() - start);
    }
  }
  lab.end();
  return { left: median(times[0]) / median(times[1]), turnsUntilQuarantine };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >>> 1];
}
