/**
 * Ports by AF_XDP: frames of all kinds, what becomes of those that cannot be forwarded, and
 * interfaces and hosts that go and come back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CableEnd, type Forwarding, type HostAccount, Lab, pause } from "../kit/lab.ts";
import { testFrame, until, type Wire, xdpPorts } from "../kit/lab.ts";
import { iperf, medianRoundTrip, roundTrips } from "../kit/kernel_traffic.ts";
import { cpuMilliseconds } from "../kit/processes.ts";

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

/** Send each frame both ways; each must arrive once, unchanged, in order, and nothing else. */
async function assertArrive({ a, b }: { a: Wire; b: Wire }, frames: string[]): Promise<void> {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const before = to.received.length;
    for (const frame of frames) await from.send(frame);
    await to.arrived(() => true, before + frames.length);
    assert.deepEqual(to.received.slice(before), frames);
  }
}

function drops({ dropped }: HostAccount): Record<string, number> {
  return Object.fromEntries(dropped);
}

/** Whether an XDP program is attached to an interface. */
async function hasProgram(lab: Lab, { outer }: CableEnd): Promise<boolean> {
  return (await lab.run("ip", "link", "show", outer)).stdout.includes("prog/xdp");
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
    assert(!await hasProgram(lab, pair.a), "a program is left");
    assert.equal((await lab.link(pair.a.outer))?.promiscuity, 0);
  });
}

Deno.test("xdp:IFACE of a driver without XDP is generic, and says so", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  const outer = lab.name("br");
  await lab.run("ip", "link", "add", outer, "type", "bridge");
  lab.removeLink(outer);
  await lab.run("ip", "link", "set", b.outer, "master", outer);
  await lab.run("ip", "link", "set", outer, "up");
  const pair = { a, b: { ...b, outer } };
  const running = await forwarding(lab, pair);
  assert.match(running.host.stderr, new RegExp(`port ${outer}: generic XDP.* ethtool -K`));
  await assertArrive(running.wires, [testFrame(60), testFrame(1514)]);
  await lab.finish(running);
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
  const running = await forwarding(lab, pair);
  const { wires } = running;
  await lab.flows(wires);
  await lab.inNamespace(pair.b.netns, "ip", "link", "set", pair.b.inner, "down");
  await wires.a.send(testFrame(60), 100);
  await pause(300);
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

Deno.test("An interface of an xdp port goes down and up under traffic, and the account balances", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await forwarding(lab, pair);
  const { host, wires } = running;
  await lab.run("ip", "link", "set", pair.a.outer, "down");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is down`));
  await wires.b.send(testFrame(60), 50);
  await lab.run("ip", "link", "set", pair.a.outer, "up");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is up again`));
  await lab.flows(wires);
  {
    await using _there = wires.a.traffic(testFrame(60));
    await using _back = wires.b.traffic(testFrame(1514));
    for (let i = 0; i < 8; i++) {
      await lab.run("ip", "link", "set", pair.a.outer, "down");
      await lab.run("ip", "link", "set", pair.a.outer, "up");
    }
  }
  await lab.flows(wires);
  const found = await lab.finish(running);
  assert((found.dropped.get("port down") ?? 0) >= 50);
});

Deno.test("The interface of an xdp port is deleted and made again under traffic: forwarding resumes", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await forwarding(lab, pair);
  for (let round = 0; round < 2; round++) {
    await using _back = wires.b.traffic(testFrame(1514));
    await lab.run("ip", "link", "delete", pair.a.outer);
    await host.stderrLine(new RegExp(`port ${pair.a.outer} is down`));
    await lab.remake(pair.a);
    await host.stderrLine(new RegExp(`port ${pair.a.outer} is up again`));
    await lab.flows({ a: await lab.wire(pair.a.inner, pair.a.netns), b: wires.b });
    assert.equal((await lab.link(pair.a.outer))?.promiscuity, 1);
    assert(await hasProgram(lab, pair.a));
  }
  await lab.finish({ host, guest });
});

Deno.test("After kill -9 of a host its interfaces are the stack's again, and the next host has them", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await forwarding(lab, pair);
  {
    await using _traffic = wires.b.traffic(testFrame(1514));
    await host.stop("SIGKILL");
    await until(async () => !await hasProgram(lab, pair.a), "the program is gone");
  }
  assert.equal((await lab.link(pair.a.outer))?.promiscuity, 0);
  const next = await lab.startHost(xdpPorts([pair.a, pair.b]));
  await next.stderrLine(/guest 0 attached/);
  await lab.flows(wires);
  await lab.finish({ host: next, guest });
});

Deno.test("An xdp port receives from all queues of its interface", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  await lab.run("ethtool", "-L", a.outer, "rx", "2", "tx", "2");
  await lab.inNamespace(a.netns, "ethtool", "-L", a.inner, "rx", "2", "tx", "2");
  const host = await lab.startHost(xdpPorts([a, b]));
  assert.match(host.stderr, new RegExp(`port ${a.outer}: native XDP, 2 queues`));
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  await iperf(lab, a, b, b.ip4, "-u", "-b", "20M", "-P", "8", "-t", "1");
  const { stdout } = await lab.run("ethtool", "-S", a.outer);
  const received = [0, 1].map((queue) =>
    Number(new RegExp(`rx_queue_${queue}_xdp_packets: (\\d+)`).exec(stdout)?.[1])
  );
  assert(received.every((frames) => frames > 100), stdout);
  const missed = [0, 1].map((queue) =>
    Number(new RegExp(`rx_queue_${queue}_drops: (\\d+)`).exec(stdout)?.[1])
  );
  assert.deepEqual(missed, [0, 0], stdout);
  await lab.finish({ host, guest });
});

/** A host whose xdp ports are opened without some capabilities, and with little locked memory. */
async function hostWithout(lab: Lab, cables: CableEnd[], ...capabilities: string[]) {
  const without = capabilities.map((name) => `-${name}`).join(",");
  const under = ["prlimit", "--memlock=65536", "setpriv", `--bounding-set=${without}`];
  const host = lab.culvert("host", [...xdpPorts(cables), "--region", lab.newRegion()], { under });
  await until(() => / is ready/.test(host.stderr) || host.isOver, "the host starts or ends");
  return host;
}

Deno.test("A host that may not open xdp ports says which capability it needs", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  for (
    const [capabilities, message] of [
      [["sys_admin", "bpf"], /EPERM: run as root, or grant CAP_BPF and CAP_NET_ADMIN/],
      [["net_raw"], /EPERM: run as root, or grant CAP_NET_RAW/],
      [["ipc_lock"], /Cannot lock the \d+ MiB of mbufs .* CAP_IPC_LOCK, or raise .*ulimit -l \d+/],
    ] as const
  ) {
    const { code, stderr } = await (await hostWithout(lab, [a, b], ...capabilities)).ended();
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert(!await hasProgram(lab, a));
  }
  // What is left does: without CAP_SYS_ADMIN there is no namespace for the memory's own socket.
  const host = await hostWithout(lab, [a, b], "sys_admin");
  assert.match(host.stderr, / is ready/);
  await host.stop();
});

Deno.test("Two hosts cannot have one interface by XDP: the second says why", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await forwarding(lab, pair);
  const region = lab.newRegion();
  const second = lab.host([...xdpPorts([pair.a]), "--region", region]);
  const { code, stderr } = await second.ended();
  assert.equal(code, 1);
  assert.match(
    stderr,
    /Cannot attach an XDP program to .* as the kernel says EBUSY: another XDP program is there/,
  );
  await lab.flows(running.wires);
  await lab.finish(running);
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

Deno.test("An idle host with xdp ports sleeps until a frame comes, and answers at once", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(xdpPorts([a, b]));
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  await roundTrips(lab, a, b.ip4, 3);
  const before = cpuMilliseconds(host.pid);
  await pause(2000);
  const used = cpuMilliseconds(host.pid) - before;
  assert(used <= 200, `${used} ms of 2000 while idle`);
  const median = await medianRoundTrip(lab, a, b.ip4, 2);
  assert(median < 20, `${median} ms`);
  await lab.finish({ host, guest });
});

Deno.test("What an xdp port received for a guest that has gone is wiped with --wipe", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await forwarding(lab, pair, "", ["--wipe"]);
  await lab.flows(wires);
  let next = guest;
  {
    await using _traffic = wires.b.traffic(testFrame(1514, { seed: 5 }));
    await guest.stop();
    next = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
    await pause(500);
  }
  await lab.flows(wires);
  const wrong = wires.a.received.filter((frame) => /^(00)+$/.test(frame)).length;
  assert.equal(wrong, 0, "frames that were wiped were sent");
  await lab.finish({ host, guest: next });
});
