/**
 * What `culvert guest` does to frames, by its modes and options, seen from both ends of the wire.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ping } from "../kit/kernel_traffic.ts";
import {
  type CableEnd,
  type Forwarding,
  Lab,
  type LinkDetails,
  packetPorts,
  testFrame,
  until,
  type Wire,
} from "../kit/lab.ts";

/** The addresses of {@linkcode testFrame}, in hexadecimal. */
const DESTINATION = "02aaaaaaaaaa";
const SOURCE = "02bbbbbbbbbb";

/** What DPDK's l2fwd writes as the destination of frames that port `port` sends. */
function l2fwdAddress(port: number): string {
  return `0200000000${port.toString(16).padStart(2, "0")}`;
}

async function outerMac(lab: Lab, { outer }: CableEnd): Promise<string> {
  return (await lab.link(outer) as LinkDetails).address.replaceAll(":", "");
}

/** A host between quiet cables, one for each wire, and a guest with these options. */
async function forwardingOver(lab: Lab, count: number, guestArgs: string[]) {
  const cables: CableEnd[] = [];
  for (let i = 0; i < count; i++) cables.push(await lab.cable({ quiet: true }));
  const wires: Wire[] = [];
  for (const { inner, netns } of cables) wires.push(await lab.wire(inner, netns));
  const host = await lab.startHost(cables.flatMap(({ outer }) => ["--port", `packet:${outer}`]));
  const guest = await lab.startGuest(guestArgs);
  return { host, guest, wires, cables };
}

/** Each port's frame arrives at the port that `pairs` says, and nowhere else. */
async function assertForwards(
  lab: Lab,
  { host, guest, wires }: Pick<Forwarding, "host" | "guest"> & { wires: Wire[] },
  pairs: ReadonlyMap<number, number>,
): Promise<void> {
  for (const [from, to] of pairs) {
    const frame = testFrame(60 + from);
    await wires[from].send(frame);
    await wires[to].arrived((found) => found === frame);
  }
  wires.forEach(({ received }, port) => {
    const wanted = [...pairs].filter(([, to]) => to === port).map(([from]) => testFrame(60 + from));
    assert.deepEqual(received, wanted, `port ${port}`);
  });
  await lab.finish({ host, guest });
}

/** Modes that rewrite addresses: `expected` gives both, of a frame that port `to` sends. */
for (
  const [title, args, expected] of [
    ["io forwards frames as they are", ["--forward-mode", "io"], () => DESTINATION + SOURCE],
    [
      "l2fwd writes both MAC addresses, as DPDK's does",
      [],
      (to: number, mac: string) => l2fwdAddress(to) + mac,
    ],
    [
      "l2fwd --no-mac-updating forwards frames as they are",
      ["--no-mac-updating"],
      () => DESTINATION + SOURCE,
    ],
    [
      "mac writes both MAC addresses, whatever --no-mac-updating says",
      ["--forward-mode", "mac", "--no-mac-updating"],
      (to: number, mac: string) => l2fwdAddress(to) + mac,
    ],
    ["macswap swaps the MAC addresses", ["--forward-mode", "macswap"], () => SOURCE + DESTINATION],
  ] as const
) {
  Deno.test(`culvert guest: ${title}, and leaves the rest`, async () => {
    await using lab = await Lab.open();
    const { host, guest, wires, cables } = await forwardingOver(lab, 2, [...args]);
    const tags = "81000005";
    for (const [from, to] of [[0, 1], [1, 0]]) {
      const addresses = expected(to, await outerMac(lab, cables[to]));
      // A tag that the kernel took out and the host put back moves the frame's start by 4 bytes.
      for (const frame of [testFrame(14), testFrame(60), testFrame(1518, { tags })]) {
        await wires[from].send(frame);
        const wanted = addresses + frame.slice(24);
        await wires[to].arrived((found) => found === wanted);
      }
      assert.equal(wires[to].received.length, 3);
    }
    await lab.finish({ host, guest });
  });
}

Deno.test("culvert guest: icmpecho answers ping for any address, and drops all else", async () => {
  await using lab = await Lab.open();
  const cable = await lab.cable();
  const wire = await lab.wire(cable.inner, cable.netns);
  const host = await lab.startHost(packetPorts(cable));
  const guest = await lab.startGuest(["--forward-mode", "icmpecho"]);
  for (
    const [address, bytes] of [["10.77.0.99", 56], ["10.77.0.7", 1472], ["10.77.0.8", 1]] as const
  ) {
    assert.equal(await ping(lab, cable, address, 3, { bytes }), 3);
    const known = await lab.run("ip", "-n", cable.netns, "neighbour", "show", address);
    assert.match(known.stdout, new RegExp((await lab.link(cable.outer))!.address));
  }
  await wire.send(testFrame(60), 10);
  const account = await lab.finish({ host, guest });
  assert((account.dropped.get("dropped by the guest") ?? 0) >= 10);
  assert(account.forwarded >= 12, "9 echo replies, 3 ARP replies");
  assert.equal(wire.received.filter((frame) => frame.includes(testFrame(60).slice(28))).length, 0);
});

Deno.test("culvert guest: rxonly receives, counts and drops", async () => {
  await using lab = await Lab.open();
  const args = ["--forward-mode", "rxonly", "-T", "1"];
  const { host, guest, wires } = await forwardingOver(lab, 2, args);
  await wires[0].send(testFrame(60), 500);
  await wires[1].send(testFrame(1514), 300);
  await guest.stdoutLine(/^Total packets received: +800$/);
  const { received, forwarded, dropped } = await lab.finish({ host, guest });
  assert.deepEqual([received, forwarded], [800, 0]);
  assert.deepEqual([...dropped], [["dropped by the guest", 800]]);
  assert.deepEqual([wires[0].received, wires[1].received], [[], []]);
});

Deno.test("culvert guest: txonly makes UDP frames of the length asked for, with good checksums", async () => {
  await using lab = await Lab.open();
  const args = ["--forward-mode", "txonly", "--txpkts", "98", "-p", "1"];
  const { host, guest, wires, cables } = await forwardingOver(lab, 2, args);
  const [frame] = await wires[0].arrived(() => true, 1000);
  const { originated, forwarded, received } = await lab.finish({ host, guest });
  const others = wires[0].received.filter((found) => found !== frame);
  assert.deepEqual(others, []);
  assert.equal(received, 0);
  assert(originated >= forwarded && forwarded >= 1000);
  assert.deepEqual(wires[1].received, [], "-p 1: nothing by port 1");

  const bytes = Uint8Array.fromHex(frame);
  assert.equal(bytes.length, 98);
  assert.equal(frame.slice(0, 24), l2fwdAddress(0) + await outerMac(lab, cables[0]));
  const view = new DataView(bytes.buffer);
  const [type, version, ipBytes, protocol] = [12, 14, 16, 22].map((at) => view.getUint16(at));
  assert.deepEqual([type, version, ipBytes, protocol & 0xff], [0x0800, 0x4500, 84, 17]);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
  assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff, "IPv4 header checksum");
  assert.equal(view.getUint16(38), 64, "UDP length");
  assert.equal(view.getUint16(40), 0, "no UDP checksum (RFC 768)");
});

Deno.test("culvert guest: what txonly sends reaches a program's UDP socket", async () => {
  await using lab = await Lab.open();
  const cable = await lab.cable();
  const ip = (...args: string[]) => lab.run("ip", "-n", cable.netns, ...args);
  await ip("address", "add", "198.18.0.2/24", "dev", cable.inner);
  await ip("link", "set", cable.inner, "address", "02:00:00:00:00:00");
  const receive = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" +
    "s.bind(('198.18.0.2', 9)); print('BOUND', flush=True)\n" +
    "for _ in range(100): d, a = s.recvfrom(2048)\n" +
    "print('GOT', len(d), *a, flush=True)";
  const netns = ["ip", "netns", "exec", cable.netns];
  const receiver = lab.start(...netns, "/usr/bin/python3", "-c", receive);
  await receiver.stdoutLine(/BOUND/);
  const host = await lab.startHost(packetPorts(cable));
  const guest = lab.guest(["--forward-mode", "txonly"]);
  assert.equal(await receiver.stdoutLine(/GOT/), "GOT 22 198.18.0.1 9");
  assert.equal((await guest.stop()).code, 0);
  await lab.finishHost(host);
});

Deno.test("culvert guest: neighbours are paired, and an odd port is paired with itself", async () => {
  await using lab = await Lab.open();
  const running = await forwardingOver(lab, 3, ["--no-mac-updating"]);
  await assertForwards(lab, running, new Map([[0, 1], [1, 0], [2, 2]]));
});

Deno.test("culvert guest: -p enables only some ports", async () => {
  await using lab = await Lab.open();
  const running = await forwardingOver(lab, 4, ["--no-mac-updating", "-p", "0xd"]);
  await running.wires[1].send(testFrame(99), 5);
  await assertForwards(lab, running, new Map([[0, 2], [2, 0], [3, 3]]));
});

Deno.test("culvert guest: --portmap says where frames go, on several cores too", async () => {
  await using lab = await Lab.open();
  const args = ["--no-mac-updating", "--portmap", "(0,3)(1,2)", "-l", "0,1", "-q", "2"];
  const running = await forwardingOver(lab, 4, args);
  assert.match(running.guest.stderr, /on core 0, 1, ports: 0 /);
  await assertForwards(lab, running, new Map([[0, 3], [3, 0], [1, 2], [2, 1]]));
});

/** Spins for two seconds once a frame comes by port 2. */
const SPINNING = `export default function (burst) {
  if (burst.port !== 2 || burst.count === 0) return;
  const end = performance.now() + 2000;
  while (performance.now() < end);
}
`;

Deno.test("culvert guest: a function that does not return for a second is named; other lcores go on", async () => {
  await using lab = await Lab.open();
  const folder = Deno.makeTempDirSync({ dir: ".cache", prefix: "spinning" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  await Deno.writeTextFile(`${folder}/spinning.ts`, SPINNING);
  const args = ["--function", `${folder}/spinning.ts`, "-l", "0,1", "-q", "2", "-T", "0"];
  const { host, guest, wires } = await forwardingOver(lab, 4, args);
  const pass = async (from: number, to: number, frame: string) => {
    await wires[from].send(frame);
    await wires[to].arrived((found) => found === frame);
  };
  await wires[2].send(testFrame(62));
  await guest.stderrLine(/function spinning\.ts has not returned for 1 s: lcore 1 stands still/);
  await pass(0, 1, testFrame(60));
  assert.deepEqual(wires[3].received, [], "the other lcore still spins");
  await guest.stderrLine(/lcore 1 goes on/);
  await wires[3].arrived((found) => found === testFrame(62));
  await pass(2, 3, testFrame(64));
  await lab.finish({ host, guest });
});

Deno.test("culvert guest: a version is refused while a function does not return, then all lcores go on", async () => {
  await using lab = await Lab.open();
  const folder = Deno.makeTempDirSync({ dir: ".cache", prefix: "spinning" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  const file = `${folder}/spinning.ts`;
  await Deno.writeTextFile(file, SPINNING);
  const args = ["--function", file, "-l", "0,1", "-q", "2", "-T", "0"];
  const { host, guest, wires } = await forwardingOver(lab, 4, args);
  await wires[2].send(testFrame(62));
  await Deno.writeTextFile(file, "export default () => {};\n"); // lcore 0 stops for it at once
  await guest.stderrLine(/kept the version .* at work does not return: start culvert anew/);
  await guest.stderrLine(/lcore 1 goes on/);
  for (const [from, to] of [[0, 1], [3, 2]]) {
    await wires[from].send(testFrame(64));
    await wires[to].arrived((found) => found === testFrame(64));
  }
  await lab.finish({ host, guest });
});

Deno.test("culvert guest: -T 1 prints the table that l2fwd users know", async () => {
  await using lab = await Lab.open();
  const { host, guest, wires } = await forwardingOver(lab, 2, ["-T", "1"]);
  await wires[0].send(testFrame(60), 70);
  await wires[1].send(testFrame(60), 30);
  await guest.stdoutLine(/^Port statistics =+$/);
  const isCounted = () => /^Total packets sent: +100$/m.test(guest.stdout);
  await until(isCounted);
  await guest.stdoutLine(/^Total packets sent: +100$/);
  const { code, stdout, stderr } = await guest.stop();
  assert.equal(code, 0);
  const tables = stdout.split(/^Port statistics/m);
  const table = tables.find((text) => /Total packets sent: +100$/m.test(text))!;
  const rows = ["sent", "received", "dropped"].map((what) =>
    [...table.matchAll(new RegExp(`^Packets ${what}: +(\\d+)$`, "gm"))].map(([, n]) => Number(n))
  );
  assert.deepEqual(rows, [[30, 70], [70, 30], [0, 0]]);
  for (
    const line of ["Statistics for port 0 -", "Statistics for port 1 -", "Aggregate statistics ="]
  ) {
    assert(table.includes(`\n${line}`), line);
  }
  assert.match(table, /^Sending at: +\d+\.\d{3} Mpps \d+\.\d{3} Gb\/s$/m);
  assert.match(stderr, /received 100 frames, sent 100, dropped 0(;|$)/m);
  await lab.finishHost(host);
});

Deno.test("culvert guest: -T 0 prints no table", async () => {
  await using lab = await Lab.open();
  const running = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  await lab.flows(running.wires);
  assert.equal((await running.guest.stop()).stdout, "");
  await lab.finishHost(running.host);
});
