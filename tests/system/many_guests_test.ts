/**
 * One host with several guests, in one region or in several: chains, deaths, many regions.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CableEnd, Lab, packetPorts, type Running, testFrame, type Wire } from "../kit/lab.ts";
import { forwardAll } from "../kit/checked_run.ts";
import { assertNothingBroken, iperf, ping, untilReachable } from "../kit/kernel_traffic.ts";

const MODE = ["-l", "1", "--forward-mode", "io"];
const CHAINS = {
  "one region": [["ring:0 link:ab", "link:ab ring:1"]],
  "two regions": [["ring:0 link:ab"], ["link:ab ring:1"]],
};

for (const [where, regions] of Object.entries(CHAINS)) {
  Deno.test(`Numbered frames pass two guests in ${where}, both ways, untouched and in order`, async () => {
    await forwardAll({ frames: 200_000, mode: MODE, regions });
  });
}

Deno.test("Numbered frames pass four guests in three regions, whose links two lcores share out", async () => {
  const regions = [["ring:0 link:a", "link:a link:b"], ["link:b link:c"], ["link:c ring:1"]];
  await forwardAll({ frames: 30_000, mode: MODE, regions, cores: [0, 1] });
});

/** The command line of a chain a - guest - guest - b, and of its two guests. */
function chain(lab: Lab, { a, b }: { a: CableEnd; b: CableEnd }, where: string) {
  const [from, to] = [packetPorts(a), packetPorts(b)];
  const link = ["--port", "link:ab"];
  const region = lab.newRegion();
  if (where === "one region") {
    return {
      host: ["--region", region, ...from, ...link, "--guest", "1", ...link, ...to],
      guests: [["--region", region], ["--region", region, "--guest", "1"]],
      names: ["guest 0", "guest 1"],
    };
  }
  const other = lab.newRegion();
  return {
    host: ["--region", region, ...from, ...link, "--region", other, ...link, ...to],
    guests: [["--region", region], ["--region", other]],
    names: [`guest 0 of region ${region}`, `guest 0 of region ${other}`],
  };
}

for (const where of Object.keys(CHAINS)) {
  Deno.test(`Two namespaces reach each other through two guests in ${where}: ping, TCP`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await lab.namespacePair();
    const { host: hostArgs, guests: guestArgs, names } = chain(lab, { a, b }, where);
    const host = await lab.startHost(hostArgs);
    const guests = guestArgs.map((args) => lab.guest([...args, "--no-mac-updating", "-T", "0"]));
    for (const guest of guests) await guest.stderrLine(/forwarding/);
    for (const name of names) assert.match(host.stderr, new RegExp(`${name} attached`));
    await untilReachable(lab, a, b);
    assert.equal(await ping(lab, a, b.ip4, 50), 50);
    assert.equal(await ping(lab, b, a.ip6, 20, { bytes: 1400 }), 20);
    const { bytes } = await iperf(lab, a, b, b.ip4, "-t", "2");
    assert(bytes > 1e6, `${bytes} bytes`);
    await assertNothingBroken(lab, a, b);
    for (const guest of guests) assert.equal((await guest.stop()).code, 0);
    await lab.finishHost(host);
  });

  Deno.test(`A guest killed under traffic leaves the others alone, and comes back, in ${where}`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair({ quiet: true });
    const c = await lab.cable({ quiet: true });
    const { host: hostArgs, guests: [first, second], names } = chain(lab, pair, where);
    const at = hostArgs.indexOf("link:ab") + 1; // the first guest's third port: c comes back to c
    const host = await lab.startHost(hostArgs.toSpliced(at, 0, "--port", `packet:${c.outer}`));
    const common = ["--no-mac-updating", "-T", "0"];
    const guest = lab.guest([...first, ...common]);
    const doomed = lab.guest([...second, ...common]);
    for (const running of [guest, doomed]) await running.stderrLine(/forwarding/);
    const wires = await lab.wires(pair);
    const wireC = await lab.wire(c.inner, c.netns);
    await lab.flows(wires);
    let next: Running;
    {
      await using _there = wires.a.traffic(testFrame(60));
      await using _back = wires.b.traffic(testFrame(1514));
      await doomed.stop("SIGKILL");
      await host.stderrLine(new RegExp(`${names[1]} died`));
      await assertReturns(wireC, 1);
      next = lab.guest([...second, ...common]);
      await host.stderrLine(new RegExp(`${names[1]} attached`));
      await assertReturns(wireC, 2);
    }
    await lab.flows(wires);
    assert.doesNotMatch(host.stderr, new RegExp(`${names[0]} (died|detached)`));
    for (const running of [guest, next]) assert.equal((await running.stop()).code, 0);
    const { dropped } = await lab.finishHost(host);
    assert((dropped.get("no guest attached") ?? 0) > 0, "while the second guest was away");
  });
}

/** Frames that only pass the first guest return, all of them. */
async function assertReturns(wire: Wire, seed: number): Promise<void> {
  const frame = testFrame(77, { seed });
  await wire.send(frame, 20);
  await wire.arrived((found) => found === frame, 20);
}

Deno.test("One host serves 33 regions, whose guests attach and detach independently", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const names = Array.from({ length: 33 }, (_, i) => i % 16 ? lab.newPath() : lab.newRegion());
  const [first, last] = [names[0], names[32]];
  const port = (spec: string) => ["--port", spec];
  const host = lab.host([
    ...["--size", "1M", "--mbufs", "64", "--ring-size", "16"],
    ...["--region", first, ...port(`packet:${pair.a.outer}`), ...port("link:ends")],
    ...names.slice(1, 32).flatMap((name) => ["--region", name, ...port("ring")]),
    ...["--region", last, ...port("link:ends"), ...port(`packet:${pair.b.outer}`)],
  ]);
  for (const name of names) await host.stderrLine(new RegExp(`region ${name} is ready`));
  const beside = lab.leftovers().filter((path) => /\.(lock|capture)$/.test(path));
  assert.equal(beside.length, 6, "a lock and a capture area for each that has a name");
  assert.equal(lab.leftovers().length - beside.length, 33, "a file or socket each");
  const guests = [first, names[16], last].map((region) =>
    lab.guest(["--region", region, "--no-mac-updating", "-T", "0"])
  );
  for (const guest of guests) await guest.stderrLine(/forwarding/);
  const wires = await lab.wires(pair);
  await lab.flows(wires);
  assert.equal((await guests[1].stop()).code, 0);
  await host.stderrLine(new RegExp(`guest 0 of region ${names[16]} detached`));
  await lab.flows(wires);
  const source = await lab.startGuest([
    "--region",
    names[31],
    "--forward-mode",
    "txonly",
    "-T",
    "0",
  ]);
  await lab.flows(wires);
  for (const guest of [guests[0], guests[2], source]) assert.equal((await guest.stop()).code, 0);
  const found = await lab.finishHost(host);
  assert.equal(found.mbufsTotal, 33 * 64);
  assert(found.originated > 0);
  for (const name of names) assert.match(host.stdout, new RegExp(`region ${name}: 64 of 64$`, "m"));
});

Deno.test("A region that cannot be made leaves nothing of those before it", async () => {
  await using lab = await Lab.open();
  const tap = lab.name("tap");
  const [a, b] = [lab.newRegion(), lab.newRegion()];
  const host = lab.host([
    ...["--region", a, "--port", `tap:${tap}`],
    ...["--region", b, "--port", "null:0", "--size", "1M", "--mbufs", "8192"],
  ]);
  const { code, stderr } = await host.ended();
  assert.equal(code, 1, stderr);
  assert.match(stderr, new RegExp(`into region ${b} as \\d+ fit: use --mbufs`));
  assert.equal(await lab.link(tap), undefined);
  await lab.nothingLeft();
});

Deno.test("--numa-node keeps a region's memory on a node, and says so if there is no such node", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "ring", "--numa-node", "0"]);
  const maps = Deno.readTextFileSync(`/proc/${host.pid}/numa_maps`);
  assert.match(maps, new RegExp(`bind.*:0 file=/memfd:culvert-${lab.region}`));
  await lab.stopHost(host);
  const other = lab.host(["--port", "ring", "--numa-node", "63"]);
  const { code, stderr } = await other.ended();
  assert.equal(code, 1);
  assert.match(stderr, /^culvert: Cannot bind \d+ bytes to NUMA node 63 .*has_memory; use one/m);
  await lab.nothingLeft();
});
