/**
 * Interfaces, guests and hosts go and come back. The others go on, and every lost frame is counted.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  account,
  assertBalanced,
  type Forwarding,
  type HostAccount,
  Lab,
  packetPorts,
  pause,
  type Running,
  testFrame,
  until,
  type Wire,
} from "../kit/lab.ts";

const PORT_DOWN = "port down";
const HELD = "held by the guest when it went";

/** Three cables: what comes from a goes to b and back, what comes from c returns to c. */
async function forwardingThree(lab: Lab) {
  const pair = await lab.namespacePair({ quiet: true });
  const c = await lab.cable({ quiet: true });
  const running = await lab.forwarding(pair, { host: packetPorts(c) });
  const wireC = await lab.wire(c.inner, c.netns);
  return { ...running, pair, wireC };
}

/** Frames that only pass port c still return, all of them. */
async function assertReturn(wire: Wire, seed: number): Promise<void> {
  const frame = testFrame(77, { seed });
  await wire.send(frame, 20);
  await wire.arrived((found) => found === frame, 20);
}

/** Frames are dropped for these reasons and no other. */
function assertDropsOnly({ dropped }: HostAccount, ...reasons: string[]): void {
  for (const reason of dropped.keys()) assert(reasons.includes(reason), reason);
}

Deno.test("An interface goes down and up: its frames are counted, the others flow on", async () => {
  await using lab = await Lab.open();
  const three = await forwardingThree(lab);
  const { pair, host, wires, wireC } = three;
  await lab.flows(wires);
  await lab.run("ip", "link", "set", pair.a.outer, "down");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is down`));
  await wires.b.send(testFrame(60), 50);
  await assertReturn(wireC, 1);
  await lab.run("ip", "link", "set", pair.a.outer, "up");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is up again`));
  await lab.flows(wires);
  const found = await lab.finish(three);
  assert.equal(found.dropped.get(PORT_DOWN), 50);
  assertDropsOnly(found, PORT_DOWN);
});

Deno.test("An interface that flaps under traffic is followed, and the account balances", async () => {
  await using lab = await Lab.open();
  const three = await forwardingThree(lab);
  const { pair, wires } = three;
  await lab.flap(pair.a.outer, wires);
  await lab.flows(wires);
  await lab.finish(three);
});

Deno.test("A veth is deleted and made again by the same name: forwarding resumes", async () => {
  await using lab = await Lab.open();
  const three = await forwardingThree(lab);
  const { pair, host, guest, wires, wireC } = three;
  for (let round = 0; round < 2; round++) {
    await lab.run("ip", "link", "delete", pair.a.outer);
    await host.stderrLine(new RegExp(`port ${pair.a.outer} is down`));
    await wires.b.send(testFrame(60), 50);
    await assertReturn(wireC, round);
    await lab.remake(pair.a);
    await host.stderrLine(new RegExp(`port ${pair.a.outer} is up again`));
    await lab.flows({ a: await lab.wire(pair.a.inner, pair.a.netns), b: wires.b });
    assert.equal((await lab.link(pair.a.outer))?.promiscuity, 1);
  }
  const found = await lab.finish({ host, guest });
  assert.equal(found.dropped.get(PORT_DOWN), 100);
  assertDropsOnly(found, PORT_DOWN);
  assert.equal((await lab.link(pair.a.outer))?.promiscuity, 0);
});

Deno.test("Another kind of device by an interface's name leaves the port down, no more", async () => {
  await using lab = await Lab.open();
  const { pair, host, guest, wires, wireC } = await forwardingThree(lab);
  await lab.run("ip", "link", "delete", pair.a.outer);
  await lab.run("ip", "tuntap", "add", pair.a.outer, "mode", "tun");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is down`));
  await pause(300); // for some looks at it
  await assertReturn(wireC, 1);
  await lab.run("ip", "link", "delete", pair.a.outer);
  await lab.remake(pair.a);
  await lab.flows({ a: await lab.wire(pair.a.inner, pair.a.netns), b: wires.b });
  await lab.finish({ host, guest });
});

Deno.test("A TAP that somebody deletes is made again", async () => {
  await using lab = await Lab.open();
  const netns = await lab.namespace({ quiet: true });
  const [a, b] = [lab.name("tap"), lab.name("tap")];
  const host = await lab.startHost(["--port", `tap:${a}`, "--port", `tap:${b}`, "--mtu", "1400"], {
    netns,
  });
  const guest = await lab.startGuest(["--no-mac-updating"]);
  const wireB = await lab.wire(b, netns);
  await lab.flows({ a: await lab.wire(a, netns), b: wireB });
  const before = await lab.link(a, netns);
  await lab.inNamespace(netns, "ip", "link", "delete", a);
  const isAnother = async () => {
    const after = await lab.link(a, netns);
    return after?.mtu === 1400 && after.flags.includes("UP") && after.ifindex !== before?.ifindex;
  };
  await until(isAnother);
  await lab.flows({ a: await lab.wire(a, netns), b: wireB });
  await lab.finish({ host, guest });
  assert.equal(await lab.link(a, netns), undefined);
});

Deno.test("A TAP that was not ours is not made again, but taken up when it is back", async () => {
  await using lab = await Lab.open();
  const netns = await lab.namespace({ quiet: true });
  const [a, b] = [lab.name("tap"), lab.name("tap")];
  const make = () => lab.inNamespace(netns, "ip", "tuntap", "add", a, "mode", "tap");
  await make();
  const host = await lab.startHost(["--port", `tap:${a}`, "--port", `tap:${b}`], { netns });
  const guest = await lab.startGuest(["--no-mac-updating"]);
  await lab.inNamespace(netns, "ip", "link", "delete", a);
  await host.stderrLine(new RegExp(`port ${a} is down`));
  await pause(300);
  assert.equal(await lab.link(a, netns), undefined);
  await make();
  await host.stderrLine(new RegExp(`port ${a} is up again`));
  await lab.flows({ a: await lab.wire(a, netns), b: await lab.wire(b, netns) });
  await lab.finish({ host, guest });
  assert(await lab.link(a, netns), "it is left in place");
});

Deno.test("A guest that is started where one is waits for its place, and has it once that is killed", async () => {
  await using lab = await Lab.open();
  const region = ["--region", lab.newPath()]; // a file: only its heartbeat tells that a guest is dead
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding(pair, { host: region, guest: region });
  const next = lab.guest(["--no-mac-updating", ...region]);
  await next.stderrLine(/waiting for the host: .*guest 0 is there already/);
  await guest.stop("SIGKILL");
  await next.stderrLine(/forwarding/);
  await lab.flows(wires);
  await lab.finish({ host, guest: next });
});

/** A second host takes the first one's place; the guest finds it by itself. */
async function succeeds(lab: Lab, { guest, wires }: Forwarding, next: Running): Promise<void> {
  await next.stderrLine(/is ready/);
  await next.stderrLine(/guest 0 attached/);
  await guest.stderrLine(/host is gone or has started anew/);
  await guest.stderrLine(/forwarding/);
  await lab.flows(wires);
}

Deno.test("A host is killed and started again on its path: the guest attaches by itself", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const region = ["--region", lab.newPath()];
  const running = await lab.forwarding(pair, { host: region, guest: region });
  const { host, guest, wires } = running;
  {
    await using _traffic = wires.a.traffic(testFrame(60));
    await lab.flows(wires);
    await host.stop("SIGKILL");
  }
  assert.equal((await lab.link(pair.a.outer))?.promiscuity, 0);
  const next = lab.host([...packetPorts(pair.a, pair.b), ...region]);
  await succeeds(lab, running, next);
  assert.equal((await guest.stop()).code, 0);
  const ended = await next.stop();
  assert.equal(ended.code, 0);
  assertBalanced(account(ended.stdout));
});

Deno.test("A guest that sleeps while its host is killed and replaced wakes to the new one", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const region = ["--region", lab.newPath()];
  const running = await lab.forwarding(pair, { host: region, guest: region });
  const { host, guest, wires } = running;
  await guest.freeze();
  await wires.a.send(testFrame(60), 1000);
  await host.stop("SIGKILL");
  const next = await lab.startHost([...packetPorts(pair.a, pair.b), ...region, "--mbufs", "512"]);
  guest.kill("SIGCONT");
  await guest.stderrLine(/host is gone or has started anew/);
  await guest.stderrLine(/forwarding/);
  await lab.flows(wires);
  assert.equal((await guest.stop()).code, 0);
  await lab.stopHost(next);
});

Deno.test("A host is stopped and started again on its path: the guest attaches by itself", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const region = ["--region", lab.newPath()];
  const running = await lab.forwarding(pair, { host: region, guest: region });
  await lab.flows(running.wires);
  await lab.stopHost(running.host);
  await running.guest.stderrLine(/host is gone or has started anew/);
  await running.guest.stderrLine(/waiting for (a|the) host/);
  const next = lab.host([...packetPorts(pair.a, pair.b), ...region]);
  await next.stderrLine(/guest 0 attached/);
  await running.guest.stderrLine(/forwarding/);
  await lab.flows(running.wires);
  await lab.finish({ host: next, guest: running.guest });
});

Deno.test("A guest waits as long as it takes if the region's file outlives its host", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const path = lab.newPath();
  const region = ["--region", path, "--size", "32M"];
  await Deno.writeFile(path, new Uint8Array());
  await Deno.truncate(path, 32 << 20);
  const running = await lab.forwarding(pair, { host: region, guest: ["--region", path] });
  const ended = await running.host.stop();
  assertBalanced(account(ended.stdout));
  await running.guest.stderrLine(/waiting for the host: .* its host has closed it/);
  await pause(4000); // longer than a guest waits for a region that it does not know
  const next = lab.host([...packetPorts(pair.a, pair.b), ...region]);
  await running.guest.stderrLine(/forwarding/);
  await lab.flows(running.wires);
  assert.equal((await running.guest.stop()).code, 0);
  await lab.stopHost(next);
});

Deno.test("A guest waits for a host that is too busy to answer", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "ring"]);
  await host.freeze();
  const guest = lab.guest();
  await guest.stderrLine(/waiting for the host: .*does not answer/);
  host.kill("SIGCONT");
  await guest.stderrLine(/forwarding/);
  await lab.finish({ host, guest });
});

Deno.test("A host whose socket or file was removed ends with status 0", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  for (
    const [region, file] of [[lab.region, `/run/culvert/${lab.region}.sock`], [path, path]]
  ) {
    const host = await lab.startHost(["--port", "ring", "--region", region]);
    await Deno.remove(file);
    await lab.finishHost(host);
  }
});

Deno.test("A host that is told to stop under traffic brings it home, and says where it went", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const { host, guest, wires } = await lab.forwarding(pair);
    await using _there = wires.a.traffic(testFrame(60));
    await using _back = wires.b.traffic(testFrame(1514));
    await wires.b.arrived(() => true, 1000);
    const found = await lab.stopHost(host, signal);
    assert(found.forwarded >= 1000);
    assert.equal((await guest.stop()).code, 0);
    await lab.nothingLeft();
  }
});

Deno.test("A host whose guest is stopped ends, and counts the mbufs that the guest held", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding(pair, { host: ["-T", "1"] });
  await guest.freeze();
  await wires.a.send(testFrame(60), 100);
  await host.stdoutLine(new RegExp(`^${pair.a.outer} +100 `));
  const found = await lab.stopHost(host);
  assert.equal(found.dropped.get(HELD), 100);
  guest.kill("SIGCONT");
  await guest.stderrLine(/host is gone or has started anew/);
  assert.equal((await guest.stop()).code, 0);
  await lab.nothingLeft();
});
