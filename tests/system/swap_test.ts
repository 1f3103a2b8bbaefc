/**
 * A function's file is saved while frames flow: its next version takes over, and nothing is lost.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RegionReport } from "../../app/inspect/region_report.ts";
import { iperf, untilReachable } from "../kit/kernel_traffic.ts";
import { exchangeNumbered, ROOM } from "../kit/vm.ts";
import { pause } from "../kit/wait.ts";
import { account, assertBalanced, Lab, packetPorts, type Running, until } from "../kit/lab.ts";

/** How many swaps: 100, or as `deno task swaps` says. */
const SWAPS = Number(Deno.args[0] ?? 100);

/** Swaps after which the memory of a guest must not grow any more. */
const WARM_UP = 40;

/** Kilobytes, and mappings (lines of /proc/PID/maps), that it may vary by. */
const VARIATION = { kB: 24_000, mappings: 90 };

/** Echo requests that are sent meanwhile, numbered by ping: it waits for all replies. */
const PING = ["-q", "-i", "0.005", "-c", `${24 * SWAPS}`];

/** Swaps before which the guest has so many milliseconds to make its spare threads. */
const UNHURRIED = 10, UNHURRIED_MS = 300;

/**
 * Milliseconds that a quarter of those take at most, and half of them, if there is more to do. On
 * an idle machine it is 25 to 60; slow ones have had 112.
 */
const QUARTER_MS = 200, MEDIAN_MS = 250;

/** A file of a function, in a folder that the guest may read. */
class FunctionFile implements Disposable {
  readonly folder = Deno.makeTempDirSync({ dir: ".cache", prefix: "swap" });
  readonly path = `${this.folder}/mine.ts`;

  write(text: string, name = "mine.ts"): void {
    Deno.writeTextFileSync(`${this.folder}/new`, text);
    Deno.renameSync(`${this.folder}/new`, `${this.folder}/${name}`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A function that counts frames over all its versions, by a counter and by what it hands over. */
function counting(version: number): string {
  return `
    import type { Burst, Context } from "culvert-net/function";
    let frames = 0, versions = 1, last = -1;
    export function setup({ counter, log }: Context) {
      const count = counter("frames seen");
      log(\`version ${version}\`);
      return (burst: Burst) => { frames += burst.count; count.add(burst.count); };
    }
    export const save = () => ({ frames, versions, last: ${version} });
    export function restore(saved: any) {
      frames = saved.frames;
      versions = saved.versions + 1;
      last = saved.last;
      if (last !== ${version - 1}) throw new Error(\`version \${last} came before ${version}\`);
    }
  `;
}

/** Memory that a process has. */
function memoryOf({ pid }: Running): { kB: number; mappings: number } {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const mappings = Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n").length;
  return { kB: Number(/VmRSS:\s+(\d+)/.exec(status)![1]), mappings };
}

Deno.test(`${SWAPS} swaps under ping lose no frame, keep state, and leave no memory behind`, async () => {
  await using lab = await Lab.open();
  using file = new FunctionFile();
  file.write(counting(0));
  const { a, b, host, guest } = await startForwarding(lab, file);
  await lab.inNamespace(a.netns, "ping", "-c", "1", "-W", "5", b.ip4);

  const ping = lab.start("ip", "netns", "exec", a.netns, "ping", ...PING, b.ip4);
  let warm = { kB: 0, mappings: 0 };
  for (let version = 1; version <= SWAPS; version++) {
    if (version <= UNHURRIED) await pause(UNHURRIED_MS);
    file.write(counting(version));
    await guest.stderrLine(new RegExp(`version ${version}\\b`));
    await until(() => swapsOf(guest).length === version, `swap ${version} is told`);
    if (version === WARM_UP) warm = memoryOf(guest);
  }
  const times = swapsOf(guest).map(([, ms]) => Number(ms));
  const end = memoryOf(guest);
  const { stdout: report } = await lab.culvert("inspect", [lab.region, "--json"]).ended();
  const [{ counted }] = (JSON.parse(report) as RegionReport).guests;
  assert.ok(
    counted["frames seen"] >= SWAPS,
    `counted over all versions: ${JSON.stringify(counted)}`,
  );
  const { stdout } = await ping.ended(600 * SWAPS);
  assert.match(stdout, /, 0% packet loss/);
  assert.ok(swapsOf(guest).every(([, , lost]) => lost === "0"));
  const [quarter, median] = quartilesOf(times.slice(0, UNHURRIED));
  console.log(`  a swap takes ${median} ms, in succession ${quartilesOf(times)[1]} ms`);
  for (const what of ["kB", "mappings"] as const) {
    const grown = `${warm[what]} ${what} after ${WARM_UP} swaps, ${end[what]} after ${SWAPS}`;
    console.log(`  ${grown}`);
    assert.ok(end[what] - warm[what] < VARIATION[what], grown);
  }
  assert.ok(quarter < QUARTER_MS && median < MEDIAN_MS, `swaps take ${quarter} to ${median} ms`);
  await guest.stop();
  assertBalanced(account((await host.stop()).stdout));
});

/** Seconds of traffic: 8, or with 500 swaps 40. */
const SECONDS = 8 * SWAPS / 100;

/** Swaps meanwhile: so many, or on a busy machine as many as there is time for. */
const UNDER_TRAFFIC = { most: 5 * SECONDS, least: SECONDS };

Deno.test("swaps under iperf3 and numbered frames, both ways, lose none of either", async () => {
  await using lab = await Lab.open();
  using file = new FunctionFile();
  file.write(counting(0));
  const { a, b, host, guest } = await startForwarding(lab, file, ROOM);
  await untilReachable(lab, a, b);

  let isFlowing = true;
  const seconds = ["-t", `${SECONDS}`, "--bidir", "--bitrate", "100M"];
  const flows = Promise.all([
    iperf(lab, a, b, b.ip4, ...seconds),
    exchangeNumbered(lab, [a, b], { frames: 1000 * SECONDS, rate: 1000 }),
  ]).finally(() => isFlowing = false);
  let version = 0;
  while (isFlowing && version < UNDER_TRAFFIC.most) {
    file.write(counting(++version));
    await until(() => swapsOf(guest).length === version, `swap ${version} is told`);
  }
  console.log(`  ${version} swaps while traffic flows`);
  assert.ok(version >= UNDER_TRAFFIC.least, `${version} swaps while traffic flows`);
  await flows;
  assert.ok(swapsOf(guest).every(([, , lost]) => lost === "0"));
  await guest.stop();
  const { dropped } = account((await host.stop()).stdout);
  const reasons = [...dropped.keys()].filter((reason) => reason !== "no guest attached");
  assert.deepEqual(reasons, [], "but before it was there, and after");
});

Deno.test("saving a file that a function imports swaps it, also one that it has begun to import", async () => {
  await using lab = await Lab.open();
  using file = new FunctionFile();
  const saying = (word: string) => `export const word = "${word}", times = { setUp: 0 };`;
  const using = (helper: string) =>
    `import { times, word } from "./${helper}.ts";
    export const setup = ({ log }) => {
      log(\`it says \${word}, set up \${++times.setUp} times\`);
      return () => {};
    };`;
  file.write(saying("one"), "first.ts");
  file.write(using("first"));
  const { a, b, host, guest } = await startForwarding(lab, file);
  file.write(saying("two"), "first.ts");
  await guest.stderrLine(/it says two, set up 1 times/); // nothing is left of the trial
  await until(() => /swapped first\.ts in/.test(guest.stderr), "it is told"); // before or after
  file.write(saying("three"), "second.ts");
  file.write(using("second"));
  await guest.stderrLine(/it says three/);
  file.write(saying("four"), "second.ts");
  await guest.stderrLine(/it says four/);
  file.write(saying("five"), "first.ts"); // it is not imported any more
  file.write("export const word = ;", "second.ts");
  await guest.stderrLine(/kept the version that was there, not second\.ts: Cannot load function/);
  await guest.stderrLine(/ at file:.*\/second\.ts:1:\d+/);
  assert.doesNotMatch(guest.stderr, /it says five/);
  await lab.inNamespace(a.netns, "ping", "-c", "1", "-W", "5", b.ip4);
  await lab.finish({ host, guest });
});

/** Files that must not take over, and what the guest says of each. */
const MISTAKES: readonly [string, RegExp][] = [
  ["export default function (burst) {", /Cannot load function mine\.ts as [^]*mine\.ts:1:\d+/],
  ["export const reply = 42;", /Cannot use function mine\.ts as it exports only reply/],
  ["export default (burst) => burst.u16(0, 9000);", /offset 9000 of frame 0 .*mine\.ts:1:\d+/],
  [
    'export function setup() { throw new Error("no rules"); }',
    /its setup\(\) has thrown: no rules at .*mine\.ts:1:\d+/,
  ],
  ["export const originates = true; export default () => {};", /the functions make frames now/],
];

Deno.test("a version with a mistake does not take over: the guest says why, and forwards on", async () => {
  await using lab = await Lab.open();
  using file = new FunctionFile();
  file.write("export default () => {};");
  const { a, b, host, guest } = await startForwarding(lab, file);
  for (const [text, told] of MISTAKES) {
    file.write(text);
    await guest.stderrLine(/kept the version that was there, not mine\.ts/);
    await lab.inNamespace(a.netns, "ping", "-c", "1", "-W", "5", b.ip4);
    assert.match(guest.stderr, told);
  }
  file.write("export default (burst) => { for (let i = 0; i < burst.count; i++) burst.drop(i); };");
  await guest.stderrLine(/swapped mine\.ts/);
  assert.notEqual(
    (await lab.tryRun("ip", "netns", "exec", a.netns, "ping", "-c1", "-W1", b.ip4)).code,
    0,
  );
  await lab.finish({ host, guest });
});

/** Takes five seconds to be set up, but in its trial, whose ports are named otherwise. */
const SLOW = `export function setup({ ports }) {
  if (ports[0].name === "port0") return;
  const end = performance.now() + 5000;
  while (performance.now() < end);
}
export default () => {};
`;

Deno.test("a version whose setup() takes long is given up: the one before goes on, and others can follow", async () => {
  await using lab = await Lab.open();
  using file = new FunctionFile();
  file.write("export default () => {};");
  const { a, b, host, guest } = await startForwarding(lab, file);
  file.write(SLOW);
  await guest.stderrLine(/kept the version .* at work does not return: start culvert anew/);
  await guest.stderrLine(/lcore 0 goes on/);
  await lab.inNamespace(a.netns, "ping", "-c", "1", "-W", "5", b.ip4);
  file.write("export default () => {};");
  await guest.stderrLine(/swapped mine\.ts/);
  await lab.inNamespace(a.netns, "ping", "-c", "1", "-W", "5", b.ip4);
  await lab.finish({ host, guest });
});

/** A host between two namespaces, and a guest that runs the file. */
async function startForwarding(lab: Lab, file: FunctionFile, room: readonly string[] = []) {
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost([...packetPorts(a, b), ...room]);
  const guest = await lab.startGuest(["--function", file.path, "-T", "0"]);
  return { a, b, host, guest };
}

/** Of each swap that the guest has told of: milliseconds, and frames that were lost. */
function swapsOf({ stderr }: Running): RegExpMatchArray[] {
  return [...stderr.matchAll(/swapped mine\.ts in (\d+) ms, (\d+) frames lost/g)];
}

/** What a quarter of some numbers does not exceed, and what half of them do not. */
function quartilesOf(numbers: readonly number[]): [quarter: number, median: number] {
  const sorted = numbers.toSorted((x, y) => x - y);
  return [sorted[sorted.length >> 2], sorted[sorted.length >> 1]];
}
