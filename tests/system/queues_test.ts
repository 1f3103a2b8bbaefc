/**
 * Ports of several queues, each served by an lcore of its own: order within flows, spread of load,
 * sums of counters, interfaces and guests that go and come back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CableEnd, Lab, type Running, until } from "../kit/lab.ts";
import { moveTap, type NetworkEnd, untilReachable } from "../kit/kernel_traffic.ts";
import { UdpFlows } from "../kit/udp_flows.ts";

const FLOWS = 64, EACH = 100, RATE = 8000;

/** A host with two ports of two queues, on two lcores; a guest on two. */
interface Stage {
  readonly lab: Lab;
  readonly host: Running;
  guest: Running;
  readonly a: NetworkEnd;
  readonly b: NetworkEnd;
  /** The host's interfaces. */
  readonly outer: readonly [string, string];
}

const GUEST = ["--no-mac-updating", "-l", "0,1"];

async function cabled(lab: Lab, kind: "packet" | "xdp"): Promise<Stage & { b: CableEnd }> {
  const { a, b } = await lab.namespacePair();
  await giveQueues(lab, a);
  await giveQueues(lab, b);
  const ports = [a, b].flatMap(({ outer }) => ["--port", `${kind}:${outer},queues=2`]);
  const mirror = kind === "xdp" ? [] : ["--mirror", `${a.outer}=tap:${lab.name("span")}`];
  const host = await lab.startHost([...ports, ...mirror, "-l", "0,1"]);
  const guest = await lab.startGuest(GUEST);
  return { lab, host, guest, a, b, outer: [a.outer, b.outer] };
}

/** Have both ends of a cable send and receive by two queues. */
async function giveQueues(lab: Lab, { netns, inner, outer }: CableEnd): Promise<void> {
  await lab.run("ethtool", "-L", outer, "rx", "2", "tx", "2");
  await lab.inNamespace(netns, "ethtool", "-L", inner, "rx", "2", "tx", "2");
}

async function tapped(lab: Lab): Promise<Stage> {
  const [a, b] = [lab.name("tap"), lab.name("tap")];
  const ports = [a, b].flatMap((tap) => ["--port", `tap:${tap},queues=2`]);
  const host = await lab.startHost([...ports, "-l", "0,1"]);
  const ends = [await moveTap(lab, a, 1), await moveTap(lab, b, 2)];
  const guest = await lab.startGuest(GUEST);
  return { lab, host, guest, a: ends[0], b: ends[1], outer: [a, b] };
}

/** What the host counts of port `port`'s queues: received and sent frames of each. */
async function countsOf({ lab }: Stage, port: number): Promise<{ rx: number; tx: number }[]> {
  const inspect = lab.culvert("inspect", ["--json", lab.region]);
  const { stdout } = await inspect.ended();
  return JSON.parse(stdout).channels
    .filter(({ name }: { name: string }) => name.startsWith(`g0.p${port}`))
    .map(({ counters }: { counters: { rx: number; tx: number } }) => counters);
}

/** Send datagrams of many flows, there and back at the same time. */
async function both({ lab, a, b }: Stage): Promise<UdpFlows[]> {
  await untilReachable(lab, a, b);
  const flows = [await UdpFlows.to(lab, b), await UdpFlows.to(lab, a)];
  await Promise.all([
    flows[0].send(a, FLOWS, EACH, RATE),
    flows[1].send(b, FLOWS, EACH, RATE),
  ]);
  return flows;
}

for (
  const [kind, begin] of [
    ["packet", (lab: Lab) => cabled(lab, "packet")],
    ["xdp", (lab: Lab) => cabled(lab, "xdp")],
    ["tap", tapped],
  ] as const
) {
  Deno.test(`Two queues of a ${kind} port carry many flows: each in order, none lost, load spread`, async () => {
    await using lab = await Lab.open();
    const stage = await begin(lab);
    for (const flows of await both(stage)) {
      await until(async () => (await flows.report()).received === FLOWS * EACH);
      const { late, missing, flows: seen } = await flows.report();
      assert.deepEqual({ late, missing, seen }, { late: 0, missing: 0, seen: FLOWS });
    }
    const all = FLOWS * EACH;
    for (const port of [0, 1]) {
      const queues = await countsOf(stage, port);
      assert.equal(queues.length, 2);
      for (const n of queues.flatMap(({ rx, tx }) => [rx, tx])) {
        assert(n > 0.25 * all && n < 0.75 * all, JSON.stringify(queues));
      }
    }
    const { stdout } = await lab.culvert("inspect", [lab.region]).ended();
    assert.equal(stdout.match(/ port .*, 2 queues, /g)?.length, 2, stdout);
    await lab.finish(stage);
    if (kind !== "packet") return;
    const copies = Number(/also (\d+) copies sent to mirrors/.exec(stage.host.stdout)?.[1]);
    assert(copies >= 2 * all, stage.host.stdout);
  });
}

/** Send while something happens that loses frames: those that arrive are in order. */
async function inOrder(stage: Stage, act: () => Promise<void>): Promise<void> {
  const { lab, a, b } = stage;
  await untilReachable(lab, a, b);
  const flows = await UdpFlows.to(lab, b);
  let isOver = false;
  const sent = (async () => {
    for (let first = 0; !isOver; first += EACH) await flows.send(a, FLOWS, EACH, RATE, first);
    return flows;
  })();
  await act();
  const before = await flows.report();
  await until(async () => (await flows.report()).received > before.received + FLOWS * EACH);
  isOver = true;
  await sent;
  const { received, late } = await flows.report();
  assert.equal(late, 0, `${late} of ${received}`);
}

for (const kind of ["packet", "xdp"] as const) {
  Deno.test(`Flows through a ${kind} port stay in order while its interface goes down, up, and is made anew`, async () => {
    await using lab = await Lab.open();
    const stage = await cabled(lab, kind);
    const { host, b, outer: [, link] } = stage;
    const [down, up] = ["down: ", "up again"].map((what) => new RegExp(`port ${link} is ${what}`));
    await inOrder(stage, async () => {
      await lab.run("ip", "link", "set", link, "down");
      await host.stderrLine(down);
      await lab.run("ip", "link", "set", link, "up");
      await host.stderrLine(up);
      const { mac } = b;
      await lab.run("ip", "link", "delete", link);
      await host.stderrLine(down);
      await lab.remake(b);
      await giveQueues(lab, b);
      await host.stderrLine(up);
      const ip = (...args: string[]) => lab.run("ip", "-n", b.netns, ...args);
      await ip("link", "set", b.inner, "address", mac);
      await ip("address", "add", `${b.ip4}/24`, "dev", b.inner);
    });
    await lab.finish(stage);
  });
}

Deno.test("Flows stay in order while a TAP of two queues is deleted and made again, and the guest dies", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const tap = lab.name("tap");
  const ports = ["--port", `packet:${a.outer},queues=2`, "--port", `tap:${tap},queues=2`];
  const host = await lab.startHost([...ports, "-l", "0,1"]);
  let guest = await lab.startGuest(GUEST);
  // The TAP's far side: a bridge to b, as the TAP is made again in this namespace.
  const bridge = await lab.bridge();
  await lab.run("ip", "link", "set", bridge, "up");
  const join = (link: string) => lab.run("ip", "link", "set", link, "master", bridge);
  await join(b.outer);
  await join(tap);
  await inOrder({ lab, host, guest, a, b, outer: [a.outer, tap] }, async () => {
    await lab.run("ip", "link", "delete", tap);
    await host.stderrLine(new RegExp(`port ${tap} is up again`));
    await join(tap);
    guest.kill("SIGKILL");
    await host.stderrLine(/guest 0 died/);
    guest = await lab.startGuest(GUEST);
  });
  await lab.finish({ host, guest });
});

Deno.test("An interface with fewer queues than an xdp port is refused, with what to type", async () => {
  await using lab = await Lab.open();
  const { outer } = await lab.cable();
  const { code, stderr } = await lab.host(["--port", `xdp:${outer},queues=2`, "-l", "0,1"]).ended();
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`Cannot open 2 queues of ${outer} as it has 1 to receive and 1 to `),
  );
  assert.match(stderr, new RegExp(`ethtool -L ${outer} rx 2 tx 2, .*numrxqueues 2`));
});

Deno.test("A TAP of one queue is refused where two are wanted, with what to type", async () => {
  await using lab = await Lab.open();
  const tap = lab.name("tap");
  await lab.run("ip", "tuntap", "add", tap, "mode", "tap");
  lab.removeLink(tap);
  const { code, stderr } = await lab.host(["--port", `tap:${tap},queues=2`, "-l", "0,1"]).ended();
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`Cannot open TAP ${tap} with several queues .*one queue: .*multi_queue`),
  );
});
