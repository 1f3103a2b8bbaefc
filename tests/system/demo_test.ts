import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { exists, processesFrom, processesNaming } from "../kit/processes.ts";
import { PATIENCE_MS, pause, waitUntil } from "../kit/wait.ts";

const DEMO = ["run", "-A", fileURLToPath(new URL("../../app/demo/main.ts", import.meta.url))];

/** What all programs of one demo have in their environment, with a number behind it. */
const MARK = `CULVERT_TEST_DEMO=${Deno.pid}-`;
let demos = 0;

/** A demo that has ended. */
interface Ended {
  readonly pid: number;
  readonly code: number;
  readonly text: string;
  /** Milliseconds from its signal until it, and all that writes where it does, had ended. */
  readonly endedAfter: number;
  /** Its {@linkcode MARK}. */
  readonly mark: string;
}

/** Run a demo; send it `signal` once it has printed what matches `stopAt`. */
async function demo(
  args: string[],
  stopAt?: RegExp,
  signal: Deno.Signal = "SIGINT",
): Promise<Ended> {
  const mark = MARK + ++demos;
  const [name, value] = mark.split("=");
  const command = new Deno.Command(Deno.execPath(), {
    args: [...DEMO, ...args],
    env: { [name]: value },
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  let text = "";
  let signalled = Infinity;
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      text += decoder.decode(bytes, { stream: true });
      if (stopAt?.test(text)) {
        stopAt = undefined;
        signalled = performance.now();
        child.kill(signal);
      }
    }
  };
  await Promise.all([read(child.stdout), read(child.stderr)]);
  const { code } = await child.status;
  return { pid: child.pid, code, text, endedAfter: performance.now() - signalled, mark };
}

/** What a demo has left behind: interfaces, sockets, processes. */
async function leftoversOf({ pid, mark }: Ended): Promise<string[]> {
  const { stdout } = await new Deno.Command("ip", { args: ["-o", "link"] }).output();
  const links = new TextDecoder().decode(stdout).match(new RegExp(`demo-[ab]-${pid}\\b`, "g"));
  const named = [`\0demo-${pid}\0`, `/demo-${pid}.`].flatMap(processesNaming);
  return [
    ...links ?? [],
    ...[`/run/culvert/demo-${pid}.sock`, `/run/culvert/demo-${pid}.lock`].filter(exists),
    ...[...named, ...processesFrom(mark)].map(String),
  ];
}

Deno.test("Two demos at once ping and send TCP through a guest, and leave nothing behind", async () => {
  const both = await Promise.all([demo(["--seconds", "1"]), demo(["--seconds", "1"])]);
  for (const ended of both) {
    const { code, text } = ended;
    assert.equal(code, 0, text);
    assert.match(text, / 5 received, 0% packet loss/);
    assert.equal(text.match(/bits\/sec.*receiver/g)?.length, 2, text);
    assert.match(text, /mbufs: 8192 of 8192 free/);
    assert.doesNotMatch(text, /guest 0 died|waiting for/, "it began and ended in order");
    assert.deepEqual(await leftoversOf(ended), []);
  }
});

Deno.test("The demo does so too with the guest in a VM, where each side wakes the other", async () => {
  const ended = await demo(["--vm", "--doorbell", "--seconds", "1"]);
  const { code, text } = ended;
  assert.equal(code, 0, text);
  assert.match(text, /[1-9]\d* interrupts/);
  assert.doesNotMatch(text, /no interrupts|no doorbell/);
  assert.match(text, / 5 received, 0% packet loss/);
  assert.equal(text.match(/bits\/sec.*receiver/g)?.length, 2, text);
  assert.match(text, /also [1-9]\d* doorbells rung/);
  assert.match(text, /mbufs: 8192 of 8192 free/);
  assert.deepEqual(await leftoversOf(ended), []);
});

for (const signal of ["SIGINT", "SIGHUP"] as const) {
  Deno.test(`The demo that ${signal} stops cleans up`, async () => {
    const ended = await demo(["--seconds", "60"], /\[5\/5\]/, signal);
    assert.equal(ended.code, 1, ended.text);
    assert.match(ended.text, new RegExp(`Stopped by ${signal}`));
    assert.deepEqual(await leftoversOf(ended), []);
  });
}

for (const options of [[], ["--rootless"]]) {
  const name = ["The demo", ...options].join(" ");
  Deno.test(`${name} that is killed leaves nothing behind: what it started ends with it`, async () => {
    const ended = await demo([...options, "--seconds", "60"], /\[5\/5\]/, "SIGKILL");
    assert(ended.endedAfter < PATIENCE_MS, "what it started went on");
    const isGone = async () => (await leftoversOf(ended)).length === 0;
    await waitUntil(isGone);
    assert.deepEqual(await leftoversOf(ended), []);
  });
}

Deno.test("The demo that is stopped while its host starts waits until the server has gone", async () => {
  const ended = await demo([], /\[2\/5\]/);
  assert.equal(ended.code, 1, ended.text);
  assert.deepEqual(await leftoversOf(ended), []);
  await pause(1000);
  assert.deepEqual(await leftoversOf(ended), []);
});

Deno.test("The demo refuses what it does not know with status 2", async () => {
  assert.equal((await demo(["--nonsense"])).code, 2);
  assert.equal((await demo(["--seconds", "no"])).code, 2);
  assert.equal((await demo(["--doorbell"])).code, 2);
});
