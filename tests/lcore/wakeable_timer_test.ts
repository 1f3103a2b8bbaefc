import { ok } from "node:assert/strict";
import { WakeableTimer } from "../../app/lcore/wakeable_timer.ts";

async function timed(wait: Promise<void>): Promise<number> {
  const start = performance.now();
  await wait;
  return performance.now() - start;
}

Deno.test("Pause.wait() waits as long as it is told", async () => {
  ok(await timed(new WakeableTimer().wait(30)) >= 29);
});

Deno.test("Pause.wake() ends the pause that is under way, and no later one", async () => {
  const pause = new WakeableTimer();
  setTimeout(() => pause.wake(), 5);
  ok(await timed(pause.wait(5000)) < 2500);
  ok(await timed(pause.wait(30)) >= 29);
});

Deno.test("Pause.wake() between two pauses ends the next one at once", async () => {
  const pause = new WakeableTimer();
  await pause.wait(1);
  pause.wake();
  ok(await timed(pause.wait(5000)) < 2500);
  ok(await timed(pause.wait(30)) >= 29);
});
