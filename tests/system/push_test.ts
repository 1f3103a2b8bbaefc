/**
 * `culvert push`: a guest that runs gets another function through the region. In a VM it does so in
 * the package's test.
 *
 * @module
 */
import assert from "node:assert/strict";
import { untilReachable } from "../kit/kernel_traffic.ts";
import { Lab, packetPorts, type Running, until } from "../kit/lab.ts";
import { PushedFiles, saying } from "../kit/pushed_files.ts";

function push(lab: Lab, ...args: string[]): Running {
  return lab.culvert("push", [...args, "--region", lab.region]);
}

/** Push, which must end with this status; returns what it prints. */
async function pushed(lab: Lab, status: number, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await push(lab, ...args).ended();
  assert.equal(code, status, stdout + stderr);
  return stdout + stderr;
}

Deno.test("culvert push changes one function of a chain on two lcores, which then logs its lines", async () => {
  await using lab = await Lab.open();
  using files = new PushedFiles();
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(a, b));
  const chain = ["--function", "io", "--function", "macswap", "-l", "0,1", "-T", "0"];
  const guest = await lab.startGuest([...chain, "--push"]);
  const my = files.write("my.ts", saying("third"));
  assert.match(
    await pushed(lab, 1, my),
    /the guest's chain is io \| macswap: say which it replaces, by --position 1 to 2/,
  );
  assert.match(await pushed(lab, 1, my, "--position", "3"), /--position 1 to 2 is wanted, not 3/);
  assert.match(await pushed(lab, 0, my, "--position", "2"), /swapped my\.ts/);
  await until(() => guest.stderr.match(/this is third/g)?.length === 2, "both lcores have it");
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);

  files.write("my.ts", saying("fourth").replace("context.log", "if (1) context.log"));
  assert.match(await pushed(lab, 0, my), /swapped my\.ts/, "by its name");
  const late =
    "export default function (burst) {\n  if (burst.length(0) === 98) burst.u8(0, 98);\n}";
  assert.match(await pushed(lab, 0, files.write("late.js", late), "--position", "1"), /swapped/);
  await lab.tryRun("ip", "netns", "exec", a.netns, "ping", "-c1", "-W1", b.ip4);
  await guest.stderrLine(/function late\.js has thrown: Cannot use 1 byte .*late\.js:2:\d+/);
  assert.match(await pushed(lab, 0, "io", "--position", "1"), /swapped io/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  await lab.finish({ host, guest });
});

Deno.test("culvert push gives options, makes frames, and refuses what the guest refuses", async () => {
  await using lab = await Lab.open();
  using files = new PushedFiles();
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(a, b));
  const guest = await lab.startGuest(["--push", "-T", "0"]);
  const path = (name: string) => `app/guest/examples/${name}.ts`;
  assert.match(await pushed(lab, 1, path("learning_switch"), "--set", "age=1"), /Cannot set age=1/);
  assert.match(await pushed(lab, 0, path("learning_switch"), "--set", "ageing=9"), /swapped/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  const endless = files.write("endless.ts", "export default () => { for (;;) {} };");
  const began = performance.now();
  assert.match(await pushed(lab, 1, endless), /endless\.ts has not returned for 2 s in its trial/);
  assert.ok(performance.now() - began < 8000, "and not once 60 s have passed");
  assert.match(
    await pushed(lab, 1, files.write("bad.ts", "export {")),
    /esbuild says: .*bad\.ts:1/s,
  );
  assert.match(await pushed(lab, 1, files.write("no.ts", "export const a = 1;")), /exports only a/);
  const long = files.write("long.ts", `export const a = "${"long".repeat(1 << 18)}";`);
  assert.match(await pushed(lab, 1, long), /Cannot push 1\d+ bytes as 524288 fit into this region/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  await lab.finish({ host, guest });
});

Deno.test("culvert push says why no guest takes the function: none, one that does not, one that is paused", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  assert.match(await pushed(lab, 1, "io"), /as no host has it: there are /);
  const host = await lab.startHost(packetPorts(a, b));
  assert.match(
    await pushed(lab, 1, "io"),
    /as guest 0 of region .* is ABSENT: start it, with --push/,
  );
  assert.match(await pushed(lab, 1, "io", "--guest", "5"), /has no place for that guest/);
  const deaf = await lab.startGuest(["-T", "0"]);
  assert.match(await pushed(lab, 1, "io"), /does not take functions: start it with .* --push/);
  await deaf.stop();

  const guest = await lab.startGuest(["--push", "--no-mac-updating", "-T", "0"]);
  Deno.kill(guest.pid, "SIGSTOP");
  const said = await pushed(lab, 1, "io", "--timeout", "1");
  Deno.kill(guest.pid, "SIGCONT");
  assert.match(said, /has not answered within 1 s: it was taken back; is the guest paused\?/);
  await untilReachable(lab, a, b);
  assert.doesNotMatch(guest.stderr, /swapped/);
  await lab.finish({ host, guest });
});
