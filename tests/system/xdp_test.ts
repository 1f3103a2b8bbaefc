/**
 * Ports by AF_XDP: frames of all kinds, and what becomes of those that cannot be forwarded.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CableEnd, type Forwarding, type HostAccount, Lab, pause } from "../kit/lab.ts";
import { assertArrive, testFrame, xdpPorts } from "../kit/lab.ts";
import { hasXdpProgram } from "../kit/kernel_traffic.ts";

/** Tags as they are on the wire: priority 5, VLAN 100; service VLAN 200 around it. */
const CUSTOMER_TAG = "8100a064", SERVICE_TAG = "88a800c8";

const MODES = ["native", "generic"] as const;

/** A host between two cables by XDP, a guest, a wire on each far end. */
function forwarding(
  lab: Lab,
  pair: { a: CableEnd; b: CableEnd },
  mode = "",
  host: string[] = [],
): Promise<Forwarding> {
  return lab.forwarding(pair, { ports: xdpPorts([pair.a, pair.b], mode), host });
}

function drops({ dropped }: HostAccount): Record<string, number> {
  return Object.fromEntries(dropped);
}

for (const mode of MODES) {
  Deno.test(`xdp:IFACE,${mode} forwards frames of 14 to 1522 bytes as they are, in order`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair({ quiet: true, mtu: 1508 });
    const running = await forwarding(lab, pair, `,${mode}`);
    assert.match(running.host.stderr, new RegExp(`port ${pair.a.outer}: ${mode} XDP, 1 queue`));
    const lengths = [14, 15, 17, 59, 60, 63, 64, 65, 127, 128, 129, 1023, 1513, 1514, 1518, 1522];
    const tags = ["81000001", CUSTOMER_TAG, SERVICE_TAG, SERVICE_TAG + CUSTOMER_TAG];
    const frames = [
      ...lengths.map((bytes) => testFrame(bytes, { seed: bytes })),
      ...tags.map((tags, seed) => testFrame(64 + 400 * seed, { tags, seed })),
    ];
    await assertArrive(running.wires, frames);
    const { received, forwarded } = await lab.finish(running);
    assert.deepEqual([received, forwarded], [2 * frames.length, 2 * frames.length]);
    assert(!await hasXdpProgram(lab, pair.a), "a program is left");
    assert.equal((await lab.link(pair.a.outer))?.promiscuity, 0);
  });
}

Deno.test("xdp:IFACE of a driver without XDP is generic, and says so", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  const outer = await lab.bridge();
  await lab.run("ip", "link", "set", b.outer, "master", outer);
  await lab.run("ip", "link", "set", outer, "up");
  const pair = { a, b: { ...b, outer } };
  const running = await forwarding(lab, pair);
  assert.match(running.host.stderr, new RegExp(`port ${outer}: generic XDP.* ethtool -K`));
  await assertArrive(running.wires, [testFrame(60), testFrame(1514)]);
  await lab.finish(running);
});

Deno.test("An xdp port on a TAP receives what another program writes there, and the other way", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  const tap = lab.name("tap");
  const wires = await lab.wires({ a, b });
  const [near, far] = [lab.newRegion(), lab.newRegion()];
  const owner = await lab.startHost([
    ...["--region", near, "--port", `tap:${tap}`, "--port", `packet:${a.outer}`],
  ]);
  await lab.run("sysctl", "-qw", `net.ipv6.conf.${tap}.disable_ipv6=1`);
  const host = await lab.startHost([
    ...["--region", far, "--port", `xdp:${tap}`, "--port", `packet:${b.outer}`],
  ]);
  assert.match(host.stderr, new RegExp(`port ${tap}: native XDP, 1 queue`));
  const guests = [];
  for (const region of [near, far]) {
    guests.push(await lab.startGuest(["--no-mac-updating", "-T", "0", "--region", region]));
  }
  await lab.flows(wires);
  const frames = [60, 64, 500, 1514].map((bytes) => testFrame(bytes, { seed: bytes }));
  await assertArrive(wires, [...frames, ...frames]);
  for (const guest of guests) await guest.stop();
  await lab.stopHost(host);
  await lab.finishHost(owner);
});

Deno.test("An xdp port takes frames away from the host's stack, and gives them back at the end", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  await lab.run("ip", "address", "add", "10.77.0.9/24", "dev", a.outer);
  const ping = ["ip", "netns", "exec", a.netns, "ping", "-c", "1", "-W", "1", "10.77.0.9"];
  assert.equal((await lab.tryRun(...ping)).code, 0);
  const running = await forwarding(lab, { a, b });
  assert.equal((await lab.tryRun(...ping)).code, 1);
  await lab.finish(running);
  assert.equal((await lab.tryRun(...ping)).code, 0);
});

Deno.test("An xdp port counts frames that are longer than --mtu allows, or than an mbuf", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true, mtu: 3000 });
  const running = await forwarding(lab, pair);
  const { a, b } = running.wires;
  await a.send(testFrame(1523), 5);
  await a.send(testFrame(3014), 7); // does not fit behind the kernel's headroom
  await assertArrive({ a, b }, [testFrame(1522), testFrame(60)]);
  const { stdout } = await running.host.stop();
  assert.match(stdout, /also 7 frames dropped by the kernel before we could take them/);
  assert.deepEqual(drops(await lab.finish(running)), { "longer than the frame limit (--mtu)": 5 });
});

Deno.test("With --mtu 3000 an xdp port forwards frames of 3014 bytes", async () => {
  await using lab = await Lab.open();
  const running = await forwarding(lab, await lab.namespacePair({ quiet: true, mtu: 3000 }), "", [
    ...["--mtu", "3000", "--mbufs", "4096"],
  ]);
  await assertArrive(running.wires, [testFrame(3014), testFrame(60)]);
  await lab.finish(running);
});

Deno.test("An xdp port counts frames that its interface cannot take, and sends the next", async () => {
  await using lab = await Lab.open();
  const a = await lab.cable({ quiet: true, mtu: 3000 });
  const b = await lab.cable({ quiet: true, mtu: 1500 });
  const running = await forwarding(lab, { a, b }, "", ["--mtu", "3000", "--mbufs", "2048"]);
  const { wires } = running;
  await wires.a.send(testFrame(3014), 3);
  await wires.a.send(testFrame(1514));
  await wires.a.send(testFrame(3014), 40);
  await wires.a.send(testFrame(60));
  await wires.b.arrived((frame) => frame === testFrame(60));
  const account = await lab.finish(running);
  const reason =
    "longer than the sending interface's MTU (ip link set IFACE mtu; 4 more for a tag)";
  assert.deepEqual(drops(account), { [reason]: 43 });
  assert.equal(account.forwarded, 2);
});

Deno.test("What an xdp port sends to a far end that is down is counted", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await forwarding(lab, pair, "", ["-T", "1"]);
  const { wires } = running;
  await lab.flows(wires);
  await lab.inNamespace(pair.b.netns, "ip", "link", "set", pair.b.inner, "down");
  await wires.a.send(testFrame(60), 100);
  await running.host.stdoutLine(new RegExp(`^${pair.b.outer} .* 100$`));
  await lab.inNamespace(pair.b.netns, "ip", "link", "set", pair.b.inner, "up");
  await lab.flows(wires);
  const account = await lab.finish(running);
  assert.equal(account.dropped.get("sending interface without carrier"), 100);
});

Deno.test("An xdp port without mbufs counts what it could not receive, and goes on", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await forwarding(lab, pair, "", ["--mbufs", "192", "-T", "1"]);
  const { guest, wires, host } = running;
  await guest.freeze();
  for (let i = 0; i < 10; i++) {
    await wires.a.send(testFrame(60), 100); // of the first ones some may come too fast
    await pause(100);
  }
  guest.kill("SIGCONT");
  await lab.flows(wires);
  const account = await lab.finish(running);
  const { "no mbuf free (--mbufs)": without = 0 } = drops(account);
  assert(without > 200, `${without} frames dropped for want of mbufs: ${host.stdout}`);
});

Deno.test("xdp and packet ports of one region, and of two, forward to each other", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const mixed = ["--port", `xdp:${pair.a.outer}`, "--port", `packet:${pair.b.outer}`];
  const running = await lab.forwarding(pair, { ports: mixed });
  await assertArrive(running.wires, [testFrame(60), testFrame(1514)]);
  await lab.finish(running);
  const [one, two] = [lab.newRegion(), lab.newRegion()];
  const host = await lab.startHost([
    ...["--region", one, "--port", `xdp:${pair.a.outer}`, "--port", "link:x"],
    ...["--region", two, "--port", "link:x", "--port", `xdp:${pair.b.outer}`],
  ]);
  const guests = [];
  for (const region of [one, two]) {
    guests.push(await lab.startGuest(["--no-mac-updating", "--region", region]));
  }
  await assertArrive(running.wires, [testFrame(60), testFrame(1514)]);
  for (const guest of guests) await guest.stop();
  await lab.finishHost(host);
});
