import assert from "node:assert/strict";
import { Lab, pause, type Running } from "./lab.ts";

/** Nanoseconds that all threads of a process have run. */
function cpuTime(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].reduce((sum, { name }) => {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
    return sum + Number(text.split(" ")[0]);
  }, 0);
}

/** How much of a core a program takes for so many milliseconds. */
async function load(program: Running, milliseconds: number): Promise<number> {
  const before = cpuTime(program.pid);
  const start = performance.now();
  await pause(milliseconds);
  return (cpuTime(program.pid) - before) / 1e6 / (performance.now() - start);
}

/** How often a side rang, as the host's or the guest's last words tell. */
function rung(text: string): number {
  return Number(/(\d+) doorbells rung/.exec(text)?.[1] ?? 0);
}

/** Milliseconds of each answered ping, fewest first. */
function roundTrips(pings: string): number[] {
  return [...pings.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms)).sort((a, b) => a - b);
}

Deno.test("an idle host and its idle guest take less than a hundredth of a core each", async () => {
  await using lab = await Lab.open();
  const { host, guest } = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  await pause(2000);
  const loads = await Promise.all([host, guest].map((program) => load(program, 5000)));
  console.log(`  host ${(loads[0] * 100).toFixed(2)} %, guest ${(loads[1] * 100).toFixed(2)} %`);
  for (const of of loads) assert(of < 0.01, `${(of * 100).toFixed(2)} % of a core`);
  await lab.finish({ host, guest });
});

for (const idle of ["adaptive", "sleep"]) {
  Deno.test(`a sleeping host and guest (${idle}) are woken in well under a millisecond`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair();
    const options = ["--idle", idle];
    const { host, guest } = await lab.forwarding(pair, { host: options, guest: options });
    const ping = ["ping", "-c", "60", "-i", "0.05", "-W", "2", pair.b.ip4];
    await lab.inNamespace(pair.a.netns, ...ping.with(2, "3")); // addresses are known after these
    const times = roundTrips((await lab.inNamespace(pair.a.netns, ...ping)).stdout);
    assert.equal(times.length, 60);
    const [quartile, median] = [times[15], times[30]];
    console.log(`  ping, six wake-ups: median ${median} ms, worst ${times.at(-1)} ms`);
    assert(quartile < 1, `a quarter took ${quartile} ms or less`);
    const guestEnded = await guest.stop();
    const hostEnded = await host.stop();
    assert(rung(hostEnded.stdout) > 60, `the host rang ${rung(hostEnded.stdout)} times`);
    if (idle === "adaptive") return; // the host may well be polling still when the answer comes
    assert(rung(guestEnded.stderr) > 60, `the guest rang ${rung(guestEnded.stderr)} times`);
  });
}

Deno.test("a busy host and a busy guest ring no doorbell", async () => {
  await using lab = await Lab.open();
  const host = lab.host(["--port", "null:64"]);
  await host.stderrLine(/is ready/);
  const guest = lab.guest(["--forward-mode", "macswap", "-T", "0"]);
  await guest.stderrLine(/forwarding/);
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
