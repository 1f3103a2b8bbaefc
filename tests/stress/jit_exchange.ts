import { Burst } from "../../app/ring/burst.ts";
import type { SpscRing } from "../../app/ring/spsc_ring.ts";
import { shim } from "../../ffi/shim.ts";
import type { Disorder, JitAnswer } from "./jit_worker.ts";

/** So many turns at least, however slow: the first thousands are interpreted. */
const TURNS_MIN = 300_000;

/**
 * Bursts to a ring and back, by one thread, since what is in question is V8 alone. What is stored
 * to a burst before the call must be what the shim copies, and what is loaded after the call what
 * the shim has left there, though V8 sees neither: it passes numbers.
 *
 * @param count Descriptors of a burst, enough for the shim to copy them.
 * @returns Seen: the bursts that went through.
 */
export function exchange(
  ring: SpscRing,
  count: number,
  disorder: Disorder,
  end: number,
): JitAnswer {
  const burst = Burst.of(count);
  const last = 2 * count - 1;
  let message = 0, wrong = 0, moved = 0;
  while (message % 1024 !== 0 || message < TURNS_MIN || shim.shim_clock() < end) {
    message++;
    const mark = ~message;
    for (let i = 0; i < last; i++) burst.words[i] = message;
    if (disorder !== "call before the stores") burst.words[last] = message;
    moved += ring.enqueueBulk(burst, count);
    if (disorder === "call before the stores") burst.words[last] = message;
    for (let i = 0; i <= last; i++) burst.words[i] = mark;
    const early = burst.words[last];
    moved += ring.dequeueBulk(burst, count);
    const late = disorder === "loads before the call" ? early : burst.words[last];
    let isWrong = (late | 0) !== message;
    for (let i = 0; i < last; i++) if ((burst.words[i] | 0) !== message) isWrong = true;
    if (isWrong) wrong++;
  }
  return { turns: message, seen: moved / (2 * count), wrong };
}
