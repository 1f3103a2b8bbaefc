/**
 * What hostile guests leave behind for the next hosts and guests, all of them processes.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { stateOf } from "../../app/channel/state_word.ts";
import { GUEST, ZONE_KIND, ZONES_BYTES } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { account, assertBalanced, Lab, type Running, testFrame, until } from "../kit/lab.ts";
import { cpuMilliseconds } from "../kit/processes.ts";

/** Where the mbufs of a region lie that its host has published. */
function mbufsOf(memory: MappedMemory): Uint8Array {
  const { offset, size } = Region.attach(memory, "r").zone("mbufs", ZONE_KIND.MBUFS);
  return memory.u8.subarray(offset, offset + size);
}

/** Whether `bytes` are anywhere in there. */
function contains(there: Uint8Array, bytes: Uint8Array): boolean {
  for (let at = there.indexOf(bytes[0]); at >= 0; at = there.indexOf(bytes[0], at + 1)) {
    if (bytes.every((byte, i) => there[at + i] === byte)) return true;
  }
  return false;
}

Deno.test("The next host takes over a region whose header and directory a guest has spoiled", async () => {
  await using lab = await Lab.open();
  const port = ["--port", "null:0"];
  const first = await lab.startHost(port);
  const spoiler = openRegion(lab.region)!;
  spoiler.memory.u32.fill(0xdeadbeef, 0, ZONES_BYTES / 4);
  first.kill("SIGKILL");
  await first.ended();
  const second = await lab.startHost(port);
  const guest = await lab.startGuest();
  spoiler.memory.u32.fill(0xdeadbeef, 0, ZONES_BYTES / 4);
  spoiler.close();
  await lab.stopHost(second);
  await guest.stop();
  await lab.nothingLeft();
});

for (const wipe of [true, false]) {
  Deno.test(`Frames of a guest that left ${wipe ? "are wiped with" : "stay without"} --wipe`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair({ quiet: true });
    const { host, guest, wires } = await lab.forwarding(pair, { host: wipe ? ["--wipe"] : [] });
    const frame = testFrame(300, { seed: 9 });
    await wires.a.send(frame, 100);
    await wires.b.arrived((found) => found === frame, 100);
    const region = openRegion(lab.region)!;
    const secret = Uint8Array.from(frame.match(/../g)!.slice(20, 120), (hex) => parseInt(hex, 16));
    assert(contains(mbufsOf(region.memory), secret), "the frame was never there");
    await guest.stop();
    const state = Region.attach(region.memory, "r").zone("g0", ZONE_KIND.GUEST).offset / 4;
    const isAbsent = () => stateOf(region.memory.load(state + GUEST.STATE)) === GUEST_STATE.ABSENT;
    await until(isAbsent);
    assert.equal(contains(mbufsOf(region.memory), secret), !wipe);
    region.close();
    const next = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
    await wires.b.send(frame, 100);
    await wires.a.arrived((found) => found === frame, 100);
    await next.stop();
    await lab.stopHost(host);
  });
}

Deno.test("A guest that lies is put in quarantine, for as long as that host lives, and no longer", async () => {
  await using lab = await Lab.open();
  const first = await lab.startHost(["--port", "null"]);
  const program = fileURLToPath(new URL("./hostile_process.ts", import.meta.url));
  const args = ["run", "-A", "--no-check", program, lab.region, "1", "0", "7", "lie"];
  const liar = lab.start(Deno.execPath(), ...args);
  await liar.stderrLine(/ready/);
  await liar.write("go");
  await first.stderrLine(/^culvert host: guest 0 is in quarantine until the host .*: \d+ /m);
  liar.kill("SIGKILL");
  await liar.ended();
  const guest = lab.guest();
  await guest.stderrLine(/waiting for the host: .* as guest 0 is in quarantine/);
  const { stdout, stderr } = await first.stop();
  assertBalanced(account(stdout));
  assert.match(stdout, /^ {2}violations by guest 0 \(in quarantine\): \d+ /m);
  assert.equal(stderr.match(/ in quarantine /g)?.length, 1);
  const second = lab.host(["--port", "null"]);
  await guest.stderrLine(/forwarding/);
  await guest.stop();
  await lab.stopHost(second);
});

/** Doorbells a second that make a storm, how long it lasts, and tries on a busy machine. */
const STORM_PER_SECOND = 100_000, STORM_SECONDS = 2, TRIES = 5;

function startRinger(lab: Lab, ...args: string[]): Running {
  const program = fileURLToPath(new URL("./ringer_process.ts", import.meta.url));
  return lab.start(...[Deno.execPath(), "run", "-A", "--no-check", program, lab.region, ...args]);
}

Deno.test("A storm of 100,000 doorbells a second costs an idle host little, and keeps no frame from its guest", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding(pair, {});
  const storm = async () => {
    const before = cpuMilliseconds(host.pid);
    const { stdout } = await startRinger(lab, `${STORM_SECONDS}`).ended();
    return { rings: Number(stdout), spent: cpuMilliseconds(host.pid) - before };
  };
  let last = await storm(), rings = last.rings;
  for (let i = 1; i < TRIES && last.rings < STORM_PER_SECOND * STORM_SECONDS; i++) {
    last = await storm();
    rings += last.rings;
  }
  const again = startRinger(lab, `${STORM_SECONDS}`);
  await lab.flows(wires);
  rings += Number((await again.ended()).stdout);
  await guest.stop();
  const summary = (await host.stop()).stdout;
  assertBalanced(account(summary));
  const alarms = Number(/also (\d+) doorbells that woke us for nothing/.exec(summary)?.[1] ?? 0);
  console.log(
    `  ${last.rings} rings in ${STORM_SECONDS} s: ${last.spent.toFixed(0)} ms of processor time; ` +
      `${alarms} false alarms of ${rings} rings`,
  );
  assert(last.rings >= STORM_PER_SECOND * STORM_SECONDS, `only ${last.rings} rings: no storm`);
  assert(alarms >= 64 && alarms < rings / 4, summary);
  assert(last.spent < 1000, `${last.spent} ms in ${STORM_SECONDS} s`);
});

Deno.test("A storm of 100,000 doorbells a second leaves a busy host 95 % of what it does in its time", async () => {
  await using lab = await Lab.open();
  const host = lab.host(["--port", "null", "-l", "0"]); // a port that always has frames
  await host.stderrLine(/is ready/);
  let left = 0, perSecond = 0;
  for (let i = 0; i < TRIES && (left < 0.95 || perSecond < STORM_PER_SECOND); i++) {
    const { stdout, stderr } = await startRinger(lab, "0", "--compare", `${host.pid}`).ended();
    const lines = stdout.trim().split("\n");
    perSecond = Number(lines.pop());
    const ratios = lines.map((line) => line.split(" ").map(Number))
      .map(([quiet, attacked]) => attacked / quiet).sort((a, b) => a - b);
    assert(ratios.length > 0, stderr);
    left = ratios[ratios.length >>> 1];
    console.log(`  ${perSecond} rings a second leave ${left.toFixed(3)}`);
  }
  assert(perSecond >= STORM_PER_SECOND, `only ${perSecond} rings a second: no storm`);
  assert(left >= 0.95, `${left} is left`);
  await lab.stopHost(host);
});

Deno.test("culvert host refuses --wipe where guests share a region", async () => {
  await using lab = await Lab.open();
  const args = ["--wipe", "--port", "null", "--guest", "1", "--port", "null"];
  const { code, stderr } = await lab.host(args).ended();
  assert.match(stderr, /^culvert: Cannot use --wipe with region .* as it has 2 guests: /m);
  assert.equal(code, 2);
});
