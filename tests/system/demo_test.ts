import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { processesNaming } from "../kit/processes.ts";
import { waitUntil } from "../kit/wait.ts";

const DEMO = ["run", "-A", fileURLToPath(new URL("../../app/demo/main.ts", import.meta.url))];

async function demo(
  args: string[],
  stopAt?: RegExp,
  signal: Deno.Signal = "SIGINT",
): Promise<{ code: number; text: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...DEMO, ...args],
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (stopAt?.test(text)) {
        stopAt = undefined;
        child.kill(signal);
      }
    }
  };
  await Promise.all([read(child.stdout), read(child.stderr)]);
  return { code: (await child.status).code, text };
}

async function assertNothingLeft(): Promise<void> {
  const { stdout } = await new Deno.Command("ip", { args: ["-o", "link"] }).output();
  assert.doesNotMatch(new TextDecoder().decode(stdout), /culvert-[ab]/);
  await assert.rejects(Deno.stat("/run/culvert/demo.sock"), Deno.errors.NotFound);
  assert.deepEqual(
    ["--region\0demo\0", "\x0010.98.0.1\0", "\x0010.98.0.2\0"].flatMap(processesNaming),
    [],
  );
}

Deno.test("The demo pings and sends TCP through a guest, and leaves nothing behind", async () => {
  const { code, text } = await demo(["--seconds", "1"]);
  assert.equal(code, 0, text);
  assert.match(text, / 5 received, 0% packet loss/);
  assert.equal(text.match(/bits\/sec.*receiver/g)?.length, 2, text);
  assert.match(text, /mbufs: 8192 of 8192 free/);
  await assertNothingLeft();
});

Deno.test("The demo does so too with the guest in a VM, where each side wakes the other", async () => {
  const { code, text } = await demo(["--vm", "--doorbell", "--seconds", "1"]);
  assert.equal(code, 0, text);
  assert.match(text, /[1-9]\d* interrupts/);
  assert.doesNotMatch(text, /no interrupts|no doorbell/);
  assert.match(text, / 5 received, 0% packet loss/);
  assert.equal(text.match(/bits\/sec.*receiver/g)?.length, 2, text);
  assert.match(text, /also [1-9]\d* doorbells rung/);
  assert.match(text, /mbufs: 8192 of 8192 free/);
  await assertNothingLeft();
});

Deno.test("The demo that is stopped by Ctrl-C cleans up", async () => {
  const { code, text } = await demo(["--seconds", "60"], /\[5\/5\]/);
  assert.equal(code, 1, text);
  assert.match(text, /Stopped by SIGINT/);
  await assertNothingLeft();
});

Deno.test("The demo that is killed leaves nothing behind: what it started ends with it", async () => {
  await demo(["--seconds", "60"], /\[5\/5\]/, "SIGKILL");
  const isGone = () => assertNothingLeft().then(() => true, () => false);
  await waitUntil(isGone);
  await assertNothingLeft();
});

Deno.test("The demo refuses what it does not know with status 2", async () => {
  assert.equal((await demo(["--nonsense"])).code, 2);
  assert.equal((await demo(["--seconds", "no"])).code, 2);
  assert.equal((await demo(["--doorbell"])).code, 2);
});
