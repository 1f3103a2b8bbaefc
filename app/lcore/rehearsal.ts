import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { closeBursts } from "../ring/burst.ts";
import type { IdleMode } from "./idle.ts";

/** What a rehearsal uses. */
export const REHEARSAL = {
  /** Bytes of a frame: as a ping has. */
  FRAME_BYTES: 98,
  /** Turns of a loop for a frame: one that moves it, one that sleeps. */
  TURNS: 2,
} as const;

/** Most frames: V8 optimises code that has run so often. More do not make pings any faster. */
const FRAMES = 1000;

/** Most nanoseconds: if V8 takes longer, it optimises while the first real frames come. */
const SLEEP_NS = 100e6, SPIN_NS = 50e6;

/** What was rehearsed. */
export interface Rehearsed {
  /** Frames that the lcore was given. */
  readonly given: number;
  /** Frames of these that the other port sent. */
  readonly passed: number;
}

/** An lcore in memory of its own. */
export interface RehearsedLcore extends Disposable {
  /**
   * Have it receive a frame by port `from`, sleep, and send it by the other one; returns how many
   * frames it sent.
   */
  pass(from: number): number;
}

/**
 * Have a thread run its lcore's loop on frames that are made up, before it gets others.
 *
 * An lcore that sleeps between two packets comes round so rarely that V8 takes minutes to find out
 * which of its code is hot, and interprets it until then: a packet takes two to three times as
 * long. V8 finds out at once about an lcore that polls, so that such an lcore rehearses nothing.
 *
 * @param idle What the lcore will do when idle.
 * @param open Makes an lcore that does `mode` when idle, for frames by two ports, 0 and 1.
 * @returns what was rehearsed: nothing if there is not enough memory, or no right to a socket.
 */
export function rehearseFor(idle: IdleMode, open: (mode: IdleMode) => RehearsedLcore): Rehearsed {
  let given = 0, passed = 0;
  try {
    for (const mode of idle === "poll" ? [] : new Set(["sleep", idle] as const)) {
      using lcore = open(mode);
      const end = shim.shim_clock() + (mode === "sleep" ? SLEEP_NS : SPIN_NS);
      for (let i = 0; i < FRAMES && shim.shim_clock() < end; i++, given++) {
        passed += lcore.pass(i & 1);
      }
    }
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error; // a slow start is no reason to give up
  } finally {
    closeBursts();
  }
  return { given, passed };
}
