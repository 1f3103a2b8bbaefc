/**
 * What host, guest and server write to their logs: JSON, levels, the journal's priorities; and that
 * what a full disk has cost is told.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Lab, pause, until, waitUntil } from "../kit/lab.ts";

const PORTS = ["--port", "ring:a", "--port", "ring:b", "--mbufs", "512"];

Deno.test("host, guest and server write JSON with --log json, errors too", async () => {
  await using lab = await Lab.open();
  const json = ["--log", "json"];
  const server = lab.culvert("server", ["-F", "-S", lab.region, "--log-level", "debug", ...json]);
  await server.stderrLine(/is ready/);
  const host = await lab.startHost([...PORTS, ...json]);
  const guest = await lab.startGuest(["-T", "0", ...json]);
  const wrong = await lab.guest(["--guest", "1", ...json]).ended();
  assert.equal(wrong.code, 1);
  const ends = [await guest.stop(), await host.stop(), await server.stop()];
  const lines = [...ends, wrong].flatMap(({ stderr }) => stderr.trim().split("\n"))
    .map((line) => JSON.parse(line));
  for (const { time, level, program, message } of lines) {
    assert(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
    assert.match(level, /^(error|warning|info|debug)$/);
    assert.match(program, /^culvert( host| guest| server)?$/);
    assert.notEqual(message, "");
  }
  const has = (wanted: Record<string, RegExp>) =>
    assert(
      lines.some((line) => Object.entries(wanted).every(([key, value]) => value.test(line[key]))),
      JSON.stringify([Object.entries(wanted).map(String), lines]),
    );
  has({ program: /host$/, level: /info/, message: /^region \S+ is ready/ });
  has({ program: /host$/, cause: /^guest 0/, message: /^guest 0 attached/ });
  has({ program: /guest$/, level: /info/, message: /^forwarding/ });
  has({ program: /server$/, level: /debug/, message: /^peer 0 joined/ });
  has({ program: /culvert$/, level: /error/, message: /no place for that guest/ });
});

Deno.test("--log-level leaves out what matters less, and --log time says when", async () => {
  await using lab = await Lab.open();
  const host = lab.host([...PORTS, "--log-level", "warning", "--log", "time"]);
  const guest = await lab.startGuest(["-T", "0", "--log", "time"]);
  assert.match(guest.stderr, /^\d{4}-\d\d-\d\dT[\d:.]{12}Z INFO culvert guest: forwarding/m);
  assert.equal((await guest.stop()).code, 0);
  const { stderr } = await host.stop();
  assert.doesNotMatch(stderr, /is ready|attached/);
  assert.match(stderr, /^(\S+Z WARNING culvert host: .*\n)*$/);
});

Deno.test("where stderr is the journal, lines have priorities", async () => {
  await using lab = await Lab.open();
  const script = 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"';
  const under = ["bash", "-c", script, "bash"];
  const region = ["--region", lab.region];
  const host = lab.culvert("host", [...PORTS, ...region], { under });
  await host.stderrLine(/^<6>culvert host: region \S+ is ready/);
  const noPlace = [...region, "--guest", "1"];
  const elsewhere = ["env", "JOURNAL_STREAM=1:2"];
  const { stderr } = await lab.culvert("guest", noPlace, { under: elsewhere }).ended();
  assert.match(stderr, /^culvert: .*no place for that guest/m);
  const wrong = await lab.culvert("guest", noPlace, { under }).ended();
  assert.match(wrong.stderr, /^<3>culvert: .*no place for that guest/m);
  await lab.finishHost(host);
});

Deno.test("a host on a disk that is full for a while goes on, and tells what that has cost", async () => {
  await using lab = await Lab.open();
  const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
  const run = (program: string, ...args: string[]) => new Deno.Command(program, { args }).output();
  assert((await run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)).success);
  try {
    const [log, filler] = [`${folder}/log`, `${folder}/filler`];
    const under = ["bash", "-c", `exec "$@" >>${log}`, "bash"];
    const host = lab.culvert("host", [...PORTS, "--region", lab.region, "-T", "1"], { under });
    const written = () => Deno.readTextFile(log).catch(() => "");
    await until(async () => (await written()).includes("received"), "a table is written");
    const fill = async () => { // all pages, and what is left of the log's own
      for (const [file, bytes] of [[filler, 4096], [log, 64]] as const) {
        const append = () => Deno.writeFile(file, new Uint8Array(bytes).fill(46), { append: true });
        while (await append().then(() => true, () => false));
      }
    };
    await fill();
    await pause(2500);
    await fill();
    assert.equal(host.isOver, false);
    await Deno.remove(filler);
    const isTold = () =>
      waitUntil(async () =>
        /^\.*\n?\.\.\. \d+ lines? could not be written$/m.test(await written())
      );
    assert(await isTold(), await written());
    const { code, stderr } = await host.stop();
    assert.equal(code, 0, stderr);
    assert.match(await written(), /^received 0 = forwarded 0/m);
    await lab.nothingLeft();
  } finally {
    await run("umount", folder);
    await Deno.remove(folder);
  }
});
