import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Programs } from "../kit/programs.ts";
import { pause } from "../kit/wait.ts";

const PROGRAM = fileURLToPath(new URL("../cli/stuck_program.ts", import.meta.url));

async function start(programs: Programs) {
  const running = programs.start(Deno.execPath(), "run", "-A", "--no-check", PROGRAM);
  await running.stdoutLine(/runs/);
  return running;
}

Deno.test("A program with a thread that never returns ends at its deadline, with status 1, and says so", async () => {
  await using programs = new Programs();
  const running = await start(programs);
  const { code, stdout, stderr } = await running.stop("SIGTERM");
  assert.equal(code, 1, stderr);
  assert.match(stdout, /asked to end/);
  assert.equal(stderr, "has not ended 0.5 s after SIGTERM: a thread does not return; ends now\n");
});

Deno.test("A second signal, but not one that came with the first, ends a program at once", async () => {
  await using programs = new Programs();
  const running = programs.start(
    ...[Deno.execPath(), "eval", "--no-check"],
    `import { stopSignal } from ${
      JSON.stringify(new URL("../../app/cli/stop_signal.ts", import.meta.url).href)
    };
    stopSignal(() => {}, { deadlineMs: 60_000 });
    setInterval(() => {}, 1000);
    console.log("runs");`,
  );
  await running.stdoutLine(/runs/);
  running.kill("SIGINT");
  running.kill("SIGTERM");
  await pause(1200);
  assert.equal((await running.stop("SIGINT")).code, 130);
});
