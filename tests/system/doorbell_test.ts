import assert from "node:assert/strict";
import { startBridge } from "../../bench/wire.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { type CableEnd, Lab, packetPorts, pause, type Running, until } from "../kit/lab.ts";
import { medianRoundTrip, roundTrips } from "../kit/kernel_traffic.ts";
import { cpuMilliseconds, descriptorsOf } from "../kit/processes.ts";

/** Milliseconds in which the load of programs is measured, and how often. */
const WINDOW_MS = 2000, WINDOWS = 8;

/**
 * Each program takes less than `enough` of a core, by its processor time: the least of some
 * windows, as those in which other programs empty its caches tell of them. The first with all below
 * `enough` is the last.
 */
async function assertIdle(programs: readonly Running[], enough: number): Promise<void> {
  const least = programs.map(() => Infinity);
  for (let window = 0; window < WINDOWS && least.some((load) => load >= enough); window++) {
    const before = programs.map(({ pid }) => cpuMilliseconds(pid));
    const start = performance.now();
    await pause(WINDOW_MS);
    const passed = performance.now() - start;
    programs.forEach(({ pid }, i) => {
      least[i] = Math.min(least[i], (cpuMilliseconds(pid) - before[i]) / passed);
    });
  }
  console.log(`  ${least.map((load) => `${(load * 100).toFixed(2)} %`).join(", ")} of a core`);
  for (const load of least) assert(load < enough, `${(load * 100).toFixed(2)} % of a core`);
}

/** How often a side rang, as the host's or the guest's last words tell. */
function rung(text: string): number {
  return Number(/(\d+) doorbells rung/.exec(text)?.[1] ?? 0);
}

/** Part of a core that an idle program may take; one that polls takes all of it. */
const IDLE_MAX = 0.01;

/** A host of 33 regions: one that naps takes five times as much. */
const MANY_IDLE_MAX = 0.04;

/** Times that pings are tried: on a busy machine a wake-up waits for its core. */
const TRIES = 4;

Deno.test("an idle host and its idle guest take next to nothing of a core each", async () => {
  await using lab = await Lab.open();
  const { host, guest } = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  await pause(2000);
  await assertIdle([host, guest], IDLE_MAX);
  await lab.finish({ host, guest });
});

/**
 * Times as long as through the kernel's bridge, in the same seconds, that a ping through a sleeping
 * host and guest may take: six wake-ups more. One that waited for a time-out, or for the end of a
 * nap, takes 50 times as long and more.
 */
const BRIDGES_MAX = 30;

for (const idle of ["adaptive", "sleep"]) {
  Deno.test(`a sleeping host and guest (${idle}) are woken at once, as a bridge's ping shows`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair();
    const bridged = await lab.namespacePair();
    await using _bridge = await startBridge([bridged.a.outer, bridged.b.outer]);
    const options = ["--idle", idle];
    const { host, guest } = await lab.forwarding(pair, { host: options, guest: options });
    let times = Infinity;
    for (let turn = 0; turn < TRIES && times >= BRIDGES_MAX; turn++) {
      const [bridge, ours] = [
        await roundTrips(lab, bridged.a, bridged.b.ip4, 40),
        await roundTrips(lab, pair.a, pair.b.ip4, 40),
      ];
      times = Math.min(times, ours[10] / bridge[10]);
      console.log(`  ping: ${ours[20]} ms, bridge ${bridge[20]} ms; worst ${ours.at(-1)} ms`);
    }
    assert(times < BRIDGES_MAX, `${times.toFixed(1)} times as long as through a bridge`);
    const guestEnded = await guest.stop();
    const hostEnded = await host.stop();
    assert(rung(hostEnded.stdout) > 40, `the host rang ${rung(hostEnded.stdout)} times`);
    if (idle === "adaptive") return; // the host may well be polling still when the answer comes
    assert(rung(guestEnded.stderr) > 40, `the guest rang ${rung(guestEnded.stderr)} times`);
  });
}

Deno.test("a busy host and a busy guest ring no doorbell", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "null:64"]);
  const guest = await lab.startGuest(["--forward-mode", "macswap", "-T", "0"]);
  await pause(3000);
  const guestEnded = await guest.stop();
  const found = await lab.finishHost(host);
  const [byHost, byGuest] = [rung(host.stdout), rung(guestEnded.stderr)];
  console.log(`  ${found.forwarded} frames, ${byHost} and ${byGuest} doorbells`);
  assert(found.forwarded > 1e6);
  for (const rings of [byHost, byGuest]) {
    assert(rings < found.forwarded / 1000, `${rings} doorbells`);
  }
});

/** Both pings wait for no time-out of a sleep, of which there are four on their way. */
async function assertPrompt(lab: Lab, { a, b }: { a: CableEnd; b: CableEnd }): Promise<void> {
  const median = await medianRoundTrip(lab, a, b.ip4, 20);
  assert(median < 20, `median ${median} ms: is it time alone that wakes them?`);
}

Deno.test("a guest that nothing wakes naps, and so does its host, which it does not wake either", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair();
  const region = ["--region", lab.newPath()];
  const { host, guest } = await lab.forwarding(pair, { host: region, guest: region });
  assert.match(guest.stderr, /no doorbell/);
  await assertPrompt(lab, pair);
  await lab.finish({ host, guest });
});

Deno.test("a guest that came before its host has doorbells, with each host that comes", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair();
  const ports = packetPorts(pair.a, pair.b);
  const server = lab.culvert("server", ["-F", "-S", lab.region, "-l", "64M", "-n", "4"]);
  await server.stderrLine(/is ready/);
  const guest = lab.guest(["--no-mac-updating", "-T", "0"]);
  await guest.stderrLine(/waiting for the host/);
  for (let round = 0; round < 2; round++) {
    const host = lab.host(ports);
    await guest.stderrLine(/forwarding/);
    assert.doesNotMatch(guest.stderr, /no doorbell/);
    await assertPrompt(lab, pair);
    await lab.stopHost(host);
    await guest.stderrLine(/waiting for the host/);
  }
  assert.equal((await guest.stop()).code, 0);
  assert.equal((await server.stop()).code, 0);
});

Deno.test("peers that come and go cost an attached guest and its host no descriptors", async () => {
  await using lab = await Lab.open();
  const { host, guest } = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  const open = ({ pid }: Running) => descriptorsOf(pid);
  const before = [open(host), open(guest)];
  for (let i = 0; i < 100; i++) Peer.connect(`/run/culvert/${lab.region}.sock`)!.close();
  const isAsBefore = () => open(host) <= before[0] && open(guest) <= before[1];
  await until(isAsBefore, () => `${before} before, ${[open(host), open(guest)]} now`);
  await lab.finish({ host, guest });
});

Deno.test("a host of 33 regions with a TAP each sleeps when there is nothing to do", async () => {
  await using lab = await Lab.open();
  const netns = await lab.namespace({ quiet: true });
  const regions = Array.from({ length: 33 }, () => [
    ...["--region", lab.newPath(), "--size", "1M", "--mbufs", "64", "--ring-size", "64"],
    ...["--port", `tap:${lab.name("t")}`],
  ]);
  const host = lab.host([...regions.flat(), "-l", "0", "--idle", "sleep"], { netns });
  for (let i = 0; i < 33; i++) await host.stderrLine(/is ready/);
  await pause(1000);
  await assertIdle([host], MANY_IDLE_MAX);
  await lab.finishHost(host);
});
