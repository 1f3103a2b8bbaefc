import { ok } from "node:assert/strict";
import { Pause } from "../../app/lcore/pause.ts";

async function timed(wait: Promise<void>): Promise<number> {
  const start = performance.now();
  await wait;
  return performance.now() - start;
}

Deno.test("Pause.wait() waits as long as it is told", async () => {
  ok(await timed(new Pause().wait(30)) >= 29);
});

Deno.test("Pause.wake() ends the pause that is under way, and no later one", async () => {
  const pause = new Pause();
  setTimeout(() => pause.wake(), 5);
  ok(await timed(pause.wait(5000)) < 2500);
  ok(await timed(pause.wait(30)) >= 29);
});

Deno.test("Pause.wake() between two pauses ends the next one at once", async () => {
  const pause = new Pause();
  await pause.wait(1);
  pause.wake();
  ok(await timed(pause.wait(5000)) < 2500);
  ok(await timed(pause.wait(30)) >= 29);
});
