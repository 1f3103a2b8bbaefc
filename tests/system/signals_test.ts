/**
 * How a host ends, and what does not end it: terminals that close, launchers that are killed,
 * output that nobody takes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { childrenOf, commandOf, isThere } from "../kit/processes.ts";
import { account, assertBalanced, exists, Lab, pause, until } from "../kit/lab.ts";

const PORTS = ["--port", "ring:a", "--port", "ring:b", "-T", "1"];
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

for (const signal of ["SIGHUP", "SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends a host and its guest in order`, async () => {
    await using lab = await Lab.open();
    const host = await lab.startHost(PORTS);
    const guest = await lab.startGuest();
    const { code, stdout, stderr } = await guest.stop(signal);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /received 0 frames/);
    assert.doesNotMatch(stdout + stderr, /Cannot/);
    await lab.finishHost(host, signal);
  });
}

Deno.test("A host under nohup outlives its terminal, and ends in order when it is asked to", async () => {
  await using lab = await Lab.open();
  const host = lab.culvert("host", [...PORTS, "--region", lab.region], { under: ["nohup"] });
  await host.stderrLine(/is ready/);
  host.kill("SIGHUP");
  const guest = await lab.startGuest();
  assert.equal((await guest.stop()).code, 0);
  await lab.finishHost(host, "SIGTERM");
});

Deno.test("A host ends in order, and says why, when the deno task that started it is killed", async () => {
  await using lab = await Lab.open();
  const task = lab.start(
    ...[Deno.execPath(), "task", "-q", "--cwd", ROOT],
    ...["host", ...PORTS, "--region", lab.region],
  );
  await task.stderrLine(/is ready/);
  const host = childrenOf(task.pid).find(({ pid }) => commandOf(pid).includes("app/main.ts"))!;
  task.kill("SIGKILL");
  await until(() => !isThere(host.pid), "the host ends");
  assert.match(
    task.stderr,
    /culvert host: stops, as the program that started it is gone: \S+ task -q/,
  );
  assertBalanced(account(task.stdout));
  await lab.nothingLeft();
});

/** What takes no output, and how a shell has a program write there. */
const TAKERS: readonly (readonly [string, string])[] = [
  ["a full disk", '"$@" >/dev/full 2>/dev/full'],
  ["a file that may not grow", 'ulimit -f 70000; truncate -s 70000K $0; "$@" >>$0 2>>$0'],
  ["a full disk, as JSON", '"$@" --log json --log-level debug >/dev/full 2>/dev/full'],
  ["readers that are gone", '"$@" > >(true) 2> >(true)'],
  ["closed descriptors", '"$@" >&- 2>&-'],
  [
    "readers that read nothing",
    '"$@" > >(exec sleep 30 >/dev/null 2>&1) 2> >(exec sleep 30 >/dev/null 2>&1)',
  ],
];

/** A host and a guest with tables each second go on, and end in order. */
async function goOn(what: string, redirect: string): Promise<void> {
  await using lab = await Lab.open();
  const file = lab.newPath();
  const under = ["bash", "-c", redirect.replace('"$@"', 'exec "$@"'), file];
  const region = ["--region", lab.region, "-T", "1"];
  const host = lab.culvert("host", [...PORTS, ...region], { under });
  await until(() => exists(`/run/culvert/${lab.region}.sock`), "the host has begun");
  const quiet = lab.culvert("guest", region, { under });
  const guest = lab.guest(["--guest", "1"]);
  const { stderr } = await guest.ended(); // there is no such place: the region is open
  assert.match(stderr, /no place for that guest/);
  await pause(3000);
  for (const running of [quiet, host]) {
    assert(isThere(running.pid), what);
    const { code } = await running.stop("SIGTERM");
    assert.equal(code, 0, what);
  }
  await Deno.remove(file).catch(() => {});
  await lab.nothingLeft();
}

const takers = TAKERS.map(([what]) => what).join(", ");
Deno.test(`A host and a guest with tables each second go on if their output goes to ${takers}`, async () => {
  const ended = await Promise.allSettled(TAKERS.map(([what, redirect]) => goOn(what, redirect)));
  for (const each of ended) if (each.status === "rejected") throw each.reason;
});
