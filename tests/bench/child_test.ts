import { equal, rejects } from "node:assert/strict";
import { AskedWorker } from "../../bench/asked_worker.ts";
import { Child } from "../../bench/child.ts";
import { until } from "../kit/wait.ts";

const sh = (script: string, options = {}) => new Child("program", ["sh", "-c", script], options);

Deno.test("Child.hear() fails with the last lines of a program that ends", async () => {
  await using child = sh("echo one; echo two >&2; exit 3");
  await rejects(child.hear(/never/), {
    message: /^Cannot go on with program as it ended, status 3\. Its last lines:\n(one|two)/,
  });
});

Deno.test("Child.hear() fails with the last lines of a program that says nothing", async () => {
  await using child = sh("echo one; exec sleep 60");
  await rejects(child.hear(/never/, 0.3), {
    message: /^Cannot hear \/never\/ from program as nothing came for 0\.3 s\..*\none$/,
  });
});

Deno.test("Child.during() fails if the program ends first, or the wait takes too long", async () => {
  const never = new Promise<void>(() => {});
  await using ends = sh("exit 1");
  await rejects(ends.during("wait", never), { message: /it ended, status 1/ });
  await using silent = sh("exec sleep 60");
  await rejects(silent.during("wait", never, 0.2), { message: /nothing came for 0\.2 s/ });
});

Deno.test("Child.finish() waits while the program says something", async () => {
  await using child = sh("for i in 1 2 3 4 5; do echo $i; sleep 0.2; done");
  equal(await child.finish(0.5), "1\n2\n3\n4\n5\n");
  await using silent = sh("echo 1; exec sleep 60");
  await rejects(silent.finish(0.3), { message: /nothing came for 0\.3 s/ });
  await using failing = sh("echo oh; exit 2");
  await rejects(failing.finish(), { message: /it ended, status 2.*\noh$/ });
});

Deno.test("Child.ask() writes a line and returns the answer; the end of input ends it", async () => {
  await using child = sh("while read line; do echo got $line; done", { endBy: "input" });
  equal(await child.ask("one", /\n$/), "got one\n");
  equal(await child.ask("two", /\n$/), "got two\n");
});

Deno.test("Child: a program that ignores SIGTERM is killed in the end", async () => {
  const child = sh("trap '' TERM; echo ready; while :; do sleep 0.1; done");
  await child.hear(/ready/);
  await child[Symbol.asyncDispose]();
  await rejects(child.hear(/more/), { message: /SIGKILL/ });
});

Deno.test("Child: a program does not outlive the one that started it, however that ends", async () => {
  const module = new URL("../../bench/child.ts", import.meta.url).href;
  const script = `import { Child } from "${module}";
    const child = new Child("sleep", ["sh", "-c", "echo $$; exec sleep 60"]);
    console.log((await child.hear(/\\n/)).trim());
    await new Promise(() => setTimeout(() => {}, 60_000));`;
  const args = ["eval", "--no-check", script];
  const parent = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = parent.stdout.getReader();
  const pid = Number(new TextDecoder().decode((await reader.read()).value));
  const comm = async () => await Deno.readTextFile(`/proc/${pid}/comm`);
  await until(async () => await comm() === "sleep\n", "the shell has become sleep");
  parent.kill("SIGKILL");
  await parent.status;
  await reader.cancel();
  for (let tries = 0; tries < 100 && await isAlive(pid); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  equal(await isAlive(pid), false);
});

async function isAlive(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => undefined);
  return stat !== undefined && !/\) Z /.test(stat);
}

Deno.test("AskedWorker.ask() fails if the Worker does", async () => {
  using worker = new AskedWorker<unknown, number>(
    new URL("../../bench/mempool_worker.ts", import.meta.url),
  );
  await rejects(worker.ask({ core: 9999 }), { message: /pin to core 9999/ });
});
