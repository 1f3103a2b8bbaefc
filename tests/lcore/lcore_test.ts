import { deepEqual, equal, rejects } from "node:assert/strict";
import { COMMAND } from "../../app/lcore/command.ts";
import { usableCores } from "../../app/linux/core_list.ts";
import { type Lcore, LcoreWorker } from "../../app/lcore/lcore.ts";
import { freshCommand } from "./fresh_command.ts";
import type { Errand } from "./lcore_worker.ts";
import { pause } from "../kit/wait.ts";

const URL_OF_WORKER = new URL("./lcore_worker.ts", import.meta.url);
const CORE = usableCores().at(-1)!;

/** Start an lcore on an errand, on `core`. */
function start(errand: Errand, core = CORE, command = freshCommand(), url = URL_OF_WORKER) {
  const worker = new LcoreWorker<Errand, unknown>(url, core).prepare();
  const lcore: Lcore<unknown> = worker.run(command, errand);
  const done = lcore.done.finally(() => command[Symbol.dispose]());
  return { core: lcore.core, done, command };
}

for (const result of [0, "", { frames: [1, 2] }, undefined, null]) {
  Deno.test(`LcoreWorker brings back the loop's result: ${JSON.stringify(result)}`, async () => {
    deepEqual(await start({ do: "answer", with: result }).done, result);
  });
}

Deno.test("LcoreWorker brings the loop's lines to the log, in order, before its result", async () => {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const worker = new LcoreWorker<Errand, unknown>(URL_OF_WORKER, CORE, log).prepare();
  using command = freshCommand();
  equal(await worker.run(command, { do: "log", lines: ["one", "two"] }).done, "logged");
  deepEqual(lines, ["one", "two"]);
});

Deno.test("LcoreWorker pins the loop to its core, and its own thread to none", async () => {
  const lcore = start({ do: "tell cores" });
  equal(lcore.core, CORE);
  equal(await lcore.done, `${CORE}`);
  equal(usableCores().at(-1), CORE);
});

Deno.test("LcoreWorker gives the loop the command word, which stops it while it is busy", async () => {
  const turns = new Int32Array(new SharedArrayBuffer(4));
  const lcore = start({ do: "wait for stop", turns });
  while (Atomics.load(turns, 0) === 0) await pause(1);
  lcore.command.value = COMMAND.STOP;
  equal(await lcore.done, "stopped");
});

for (const how of ["CulvertError", "UsageError"] as const) {
  Deno.test(`a loop that throws a ${how} rejects with its message, as a CulvertError`, async () => {
    await rejects(start({ do: "fail", how }).done, {
      name: "CulvertError",
      message: how === "UsageError" ? "Cannot use -x as it is none" : "Cannot go on as it is late",
    });
  });
}

Deno.test("a loop that throws what it should not rejects with the stack, as a CulvertError", async () => {
  await rejects(start({ do: "fail", how: "TypeError" }).done, {
    name: "CulvertError",
    message: /^TypeError: a is not a function\n +at .*lcore_worker\.ts:\d+/,
  });
});

for (const core of [1023, 4096]) {
  Deno.test(`LcoreWorker on core ${core}, which is not there, rejects and runs nothing`, async () => {
    await rejects(start({ do: "answer", with: 1 }, core).done, {
      name: "CulvertError",
      message: `Cannot pin a thread to core ${core} as the kernel says EINVAL`,
    });
  });
}

Deno.test("LcoreWorker of a module that fails as it loads rejects with the reason", async () => {
  const url = new URL("data:text/javascript,throw new Error('no shim')");
  await rejects(start({ do: "answer", with: 1 }, CORE, freshCommand(), url).done, {
    name: "CulvertError",
    message: new RegExp(`^Cannot run lcore ${CORE} as it failed: Uncaught .*Error: no shim$`),
  });
});

Deno.test("an LcoreWorker that is kept runs one loop after another, also after one that failed", async () => {
  const worker = new LcoreWorker<Errand, unknown>(URL_OF_WORKER, CORE).prepare();
  const run = async (errand: Errand, isKept = true) => {
    using command = freshCommand();
    return await worker.run(command, errand, isKept).done;
  };
  equal(await run({ do: "answer", with: 1 }), 1);
  await rejects(run({ do: "fail", how: "CulvertError" }), {
    message: "Cannot go on as it is late",
  });
  equal(await run({ do: "tell cores" }), `${CORE}`);
  equal(await run({ do: "answer", with: 2 }, false), 2);
});
