/**
 * Ports by AF_XDP: interfaces, guests and hosts that go and come back, queues, sleep, rights.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CableEnd, type Forwarding, Lab, pause, testFrame, until } from "../kit/lab.ts";
import { xdpPorts } from "../kit/lab.ts";
import { hasXdpProgram, iperf, medianRoundTrip, roundTrips } from "../kit/kernel_traffic.ts";
import { HugeFolder } from "../kit/huge_folder.ts";
import { cpuMilliseconds } from "../kit/processes.ts";

/** A host between two cables by XDP, a guest, a wire on each far end. */
function forwarding(
  lab: Lab,
  pair: { a: CableEnd; b: CableEnd },
  host: string[] = [],
): Promise<Forwarding> {
  return lab.forwarding(pair, { ports: xdpPorts([pair.a, pair.b]), host });
}

Deno.test("An interface of an xdp port goes down and up under traffic, and the account balances", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await forwarding(lab, pair, ["--control", lab.region]);
  const { host, wires } = running;
  const refused = await lab.culvert("ctl", [lab.region, "port", "add", "null:0"]).ended();
  assert.match(refused.stderr, /Cannot change a host with port xdp:\S+ while .* holds mbufs of it/);
  await lab.run("ip", "link", "set", pair.a.outer, "down");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is down`));
  await wires.b.send(testFrame(60), 50);
  await lab.run("ip", "link", "set", pair.a.outer, "up");
  await host.stderrLine(new RegExp(`port ${pair.a.outer} is up again`));
  await lab.flows(wires);
  await lab.flap(pair.a.outer, wires);
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
    assert(await hasXdpProgram(lab, pair.a));
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
    await until(async () => !await hasXdpProgram(lab, pair.a), "the program is gone");
  }
  assert.equal((await lab.link(pair.a.outer))?.promiscuity, 0);
  const next = await lab.startHost(xdpPorts([pair.a, pair.b]));
  await next.stderrLine(/guest 0 attached/);
  await lab.flows(wires);
  await lab.finish({ host: next, guest });
});

for (const place of ["/dev/shm", "hugepages"]) {
  Deno.test(`The memory of xdp ports may be a file in ${place}`, async () => {
    await using lab = await Lab.open();
    await using huge = place === "hugepages" ? await HugeFolder.mount(lab) : undefined;
    const region = huge ? `${huge.path}/region` : lab.newPath();
    const pair = await lab.namespacePair({ quiet: true });
    const wires = await lab.wires(pair);
    const where = ["--region", region, "--size", "64M"];
    const host = await lab.startHost([...xdpPorts([pair.a, pair.b]), ...where]);
    const guest = await lab.startGuest(["--no-mac-updating", "-T", "0", "--region", region]);
    await lab.flows(wires);
    await wires.a.send(testFrame(1514, { seed: 9 }), 300);
    await wires.b.arrived((frame) => frame === testFrame(1514, { seed: 9 }), 300);
    await lab.finish({ host, guest });
  });
}

Deno.test("An xdp port receives from all queues of its interface", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  await lab.run("ethtool", "-L", a.outer, "rx", "2", "tx", "2");
  await lab.inNamespace(a.netns, "ethtool", "-L", a.inner, "rx", "2", "tx", "2");
  const host = await lab.startHost(xdpPorts([a, b]));
  assert.match(host.stderr, new RegExp(`port ${a.outer}: native XDP, 2 queues`));
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  // So many flows that the kernel hardly puts all into one queue.
  await iperf(lab, a, b, b.ip4, "-u", "-b", "8M", "-P", "24", "-t", "1");
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
    assert(!await hasXdpProgram(lab, a));
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
  const { host, guest, wires } = await forwarding(lab, pair, ["--wipe"]);
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
