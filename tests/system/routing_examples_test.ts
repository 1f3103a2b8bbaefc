/**
 * The examples that change addresses, between the kernel's network stacks: NAPT and routing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { connection, connects, example, peerServer, pythonSays } from "../kit/example_guest.ts";
import { assertNothingBroken, iperf, ping } from "../kit/kernel_traffic.ts";
import { type CableEnd, Lab, packetPorts } from "../kit/lab.ts";

/** What the inside has as its address outside. */
const OUTER = "203.0.113.1";

/** The router's address: who sends packets that run out of hops hears from it. */
const ROUTER = "192.0.2.254";

/**
 * A guest with `napt` between the inside, which is a router that has the outer address, too, and
 * the outside.
 */
async function gateway(lab: Lab, set: Record<string, number> = {}) {
  const { a: inside, b: outside } = await lab.namespacePair();
  await lab.run("ip", "-n", inside.netns, "address", "add", `${OUTER}/32`, "dev", "lo");
  await lab.run("ip", "-n", outside.netns, "route", "add", OUTER, "dev", outside.inner);
  const host = await lab.startHost(packetPorts(inside, outside));
  const guest = await lab.startGuest([...example("napt", { address: OUTER, ...set }), "-T", "0"]);
  return { inside, outside, host, guest };
}

Deno.test("napt: the kernel's TCP, UDP and ping get out with the outer address, and back; none gets in", async () => {
  await using lab = await Lab.open();
  const { inside, outside, host, guest } = await gateway(lab);
  await peerServer(lab, outside, 8000);
  await peerServer(lab, inside, 8000);
  const seen = [1, 2].map(() => connection(lab, inside, outside.ip4, 8000));
  for (const [k, peer] of (await Promise.all(seen)).toSorted().entries()) {
    assert.equal(peer, `${OUTER}:${1024 + k}`, "each flow has a port of its own");
  }
  const datagram = await pythonSays(
    lab,
    inside,
    `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
s.sendto(b"hello", ("${outside.ip4}", 8000)); print(s.recvfrom(99))`,
  );
  assert.equal(datagram, `(b'${OUTER}:1026', ('${outside.ip4}', 8000))`);
  assert.equal(await ping(lab, inside, outside.ip4, 5), 5);

  assert.equal(await connects(lab, outside, OUTER, 8000), false, "nobody inside has asked");
  assert.equal(await ping(lab, outside, OUTER, 1, { patience: 2000 }), 0);
  await assertNothingBroken(lab, inside, outside);
  await lab.finish({ host, guest });
});

Deno.test("napt: iperf3 runs through it, both ways and by UDP, and no checksum is wrong", async () => {
  await using lab = await Lab.open();
  const { inside, outside, host, guest } = await gateway(lab);
  for (const options of [[], ["--reverse"], ["--udp", "--bitrate", "20M"]]) {
    const time = ["--time", "1", ...options];
    const { bytes } = await iperf(lab, inside, outside, outside.ip4, ...time);
    assert(bytes > 100_000, `${options}: ${bytes} bytes`);
  }
  await assertNothingBroken(lab, inside, outside);
  await lab.finish({ host, guest });
});

Deno.test("napt: who sends to a port that is closed is told by the kernel behind the gateway", async () => {
  await using lab = await Lab.open();
  const { inside, outside, host, guest } = await gateway(lab);
  const told = await pythonSays(
    lab,
    inside,
    `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
s.connect(("${outside.ip4}", 9)); s.send(b"hello")
try: s.recv(99)
except ConnectionRefusedError: print("port unreachable")`,
  );
  assert.equal(told, "port unreachable");
  await assertNothingBroken(lab, inside, outside);
  await lab.finish({ host, guest });
});

Deno.test("napt: a flow that was silent for its time is over, another goes on", async () => {
  await using lab = await Lab.open();
  const { inside, outside, host, guest } = await gateway(lab, { udp: 2 });
  await peerServer(lab, outside, 8000);
  const seen = await pythonSays(
    lab,
    inside,
    `
import socket, time
def ask(s):
  s.sendto(b"who?", ("${outside.ip4}", 8000)); return s.recv(99).decode()
silent, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
for s in silent, other: s.settimeout(2)
print(ask(silent), ask(other))
for _ in range(10): time.sleep(0.4); ask(other)
print(ask(silent), ask(other))`,
  );
  const [before, after] = seen.split("\n").map((line) => line.split(" "));
  assert.deepEqual(before, [`${OUTER}:1024`, `${OUTER}:1025`]);
  assert.deepEqual(after, [`${OUTER}:1026`, `${OUTER}:1025`], "the first flow began anew");
  await lab.finish({ host, guest });
});

/**
 * Give a namespace addresses, and send all that leaves it to the guest's port: that has the MAC
 * address of the host's port, as the example answers no ARP.
 */
async function behind(lab: Lab, { netns, inner, outer }: CableEnd, ...ips: string[]) {
  const { address } = (await lab.link(outer))!;
  const ip = (...args: string[]) => lab.run("ip", "-n", netns, ...args);
  for (const each of ips) await ip("address", "add", `${each}/32`, "dev", inner);
  await ip("route", "add", ROUTER, "dev", inner);
  await ip("neighbour", "add", ROUTER, "lladdr", address, "dev", inner, "nud", "permanent");
  await ip("route", "add", "default", "via", ROUTER, "src", ips[0]);
}

Deno.test("l3_forward: the kernel's packets go by the longest prefix, and traceroute sees the hop", async () => {
  await using lab = await Lab.open();
  const ends: CableEnd[] = [];
  for (let number = 1; number <= 3; number++) ends.push(await lab.cable({ number }));
  const [a, b, c] = ends;
  await behind(lab, a, "10.1.0.1");
  await behind(lab, b, "10.2.0.1", "10.2.7.1");
  await behind(lab, c, "10.2.7.1");
  const host = await lab.startHost(packetPorts(...ends));
  const routes = [
    `10.1.0.0/16 0 ${a.mac}`,
    `10.2.0.0/16 1 ${b.mac}`,
    `10.2.7.0/24 2 ${c.mac}`,
  ].join(", ");
  const set = { routes, address: ROUTER };
  const guest = await lab.startGuest([...example("l3_forward", set), "-T", "0"]);
  await peerServer(lab, b, 8001);
  await peerServer(lab, c, 8002);
  const answers = (ip: string, port: number) => connects(lab, a, ip, port);
  assert.deepEqual(
    await Promise.all([
      ...[answers("10.2.0.1", 8001), answers("10.2.7.1", 8002)],
      ...[answers("10.2.7.1", 8001), answers("10.9.0.1", 8001)],
    ]),
    [true, true, false, false],
    "10.2.0.1 is at b, 10.2.7.1 at c, 10.9.0.1 nowhere",
  );

  const once = ["ip", "netns", "exec", a.netns, "ping", "-c", "1", "-W", "2"];
  assert.match((await lab.run(...once, "10.2.0.1")).stdout, / ttl=63 /);
  const near = await lab.tryRun(...once, "-t", "1", "10.2.0.1");
  assert.match(near.stdout, /From 192\.0\.2\.254 .*Time to live exceeded/);
  const hops = await pythonSays(
    lab,
    a,
    `
import select, socket
for ttl in 1, 2:
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.setsockopt(socket.IPPROTO_IP, 11, 1) # IP_RECVERR
  s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
  s.sendto(b"probe", ("10.2.0.1", 33434 + ttl))
  poll = select.poll(); poll.register(s, 0); assert poll.poll(2000)
  _, [(_, _, error)], _, _ = s.recvmsg(99, 512, socket.MSG_ERRQUEUE)
  print(socket.inet_ntoa(error[20:24]), "type", error[5])`,
  );
  assert.deepEqual(hops.split("\n"), [`${ROUTER} type 11`, "10.2.0.1 type 3"]);
  assert((await iperf(lab, a, b, "10.2.0.1", "--time", "1")).bytes > 100_000);
  await assertNothingBroken(lab, ...ends);
  await lab.finish({ host, guest });
});
