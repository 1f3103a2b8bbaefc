import assert from "node:assert/strict";
import "hdr-histogram-js"; // so that it is there before a namespace has no network
import { Lab } from "../kit/lab.ts";
import type { Network } from "../kit/network.ts";

/** A namespace with two cables: a generator has one end of each, a host the other. */
async function bench(lab: Network): Promise<{ netns: string; ends: string[]; ports: string[] }> {
  const netns = await lab.namespace({ quiet: true });
  const ends: string[] = [], ports: string[] = [];
  for (let i = 0; i < 2; i++) {
    const [end, port] = [lab.name("g"), lab.name("h")];
    await lab.inNamespace(
      ...[netns, "ip", "link", "add", end, "type", "veth", "peer", "name", port] as const,
    );
    for (const link of [end, port]) {
      await lab.inNamespace(netns, "ip", "link", "set", link, "up");
    }
    ends.push(`packet:${end}`);
    ports.push("--port", `packet:${port}`);
  }
  return { netns, ends, ports };
}

Deno.test("culvert gen counts what comes back through a host and a guest, and how long it took", async () => {
  await using lab = await Lab.open();
  const { netns, ends, ports } = await bench(lab);
  const host = await lab.startHost(ports, { netns });
  const guest = await lab.startGuest(["-T", "0"], { netns });
  const gen = (...args: string[]) => lab.culvert("gen", args, { netns }).ended();
  const args = ["--rate", "2k", "--seconds", "2", "--sizes", "imix", "--latency"];
  const { code, stdout, stderr } = await gen(...ends, ...args, "--json");
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.deepEqual([result.received, result.sent], [4000, 4000]);
  assert.deepEqual([result.reordered, result.duplicated, result.refused], [0, 0, 0]);
  assert.equal(
    result.bytes,
    Math.floor(4000 / 12) * (7 * 60 + 4 * 590 + 1514) + 60 + 590 + 60 + 590,
  );
  const { min, p50, p99, p999, max } = result.latency;
  assert(0 < min && min <= p50 && p50 <= p99 && p99 <= p999 && p999 <= max, stdout);
  assert(min > 1000 && min < 1e9, "more than a microsecond, less than a second");

  const text = await gen(...ends, "--rate", "1k", "--seconds", "0.5");
  assert.match(
    text.stdout,
    /^offered +0.0010 Mpps, .*for 0.5 s\nsent +500\nreceived +500\nlost +0 /,
  );
  await guest.stop();
  const lossy = await gen(...ends, "--rate", "1k", "--seconds", "0.2");
  assert.equal(lossy.code, 1);
  assert.match(lossy.stdout, /received +0\nlost +200 \(100.0000 %\)/);
  await lab.stopHost(host);
});

Deno.test("culvert gen searches for the highest rate without loss", async () => {
  await using lab = await Lab.open();
  const { netns, ends: [end] } = await bench(lab);
  const [, port] = (await lab.inNamespace(netns, "ip", "-o", "link")).stdout.match(/ (h\w+)@/)!;
  const python = ["/usr/bin/python3", "-c", REFLECT, port];
  const reflector = lab.start("ip", "netns", "exec", netns, ...python);
  await reflector.stdoutLine(/ready/);
  const args = [end, "--search", "--rate", "30k", "--seconds", "0.4", "--loss", "0.5"];
  const { code, stdout, stderr } = await lab.culvert("gen", args, { netns }).ended(60_000);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^fail +offered/);
  assert.match(stdout, /^pass +offered/m);
  const offered = Number(/^offered +([\d.]+) Mpps/m.exec(stdout)?.[1]) * 1e6;
  assert(offered > 0 && offered < 6000, stdout); // on a busy machine less gets through
  const lost = Number(/^lost +\d+ \(([\d.]+) %\)/m.exec(stdout)?.[1]);
  assert(lost <= 0.5, stdout);
});

/** Sends frames back as they came: 5,000 a second, and no more than 50 at once. */
const REFLECT = `
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
print("ready", flush=True)
then, room = time.monotonic(), 50.0
while True:
    frame, address = s.recvfrom(2048)
    if address[2] == 4: continue
    now = time.monotonic()
    then, room = now, min(50.0, room + (now - then) * 5000)
    if room >= 1:
        room -= 1
        s.send(frame)
`;

Deno.test("culvert gen says what is wrong with its ports and options", async () => {
  await using lab = await Lab.open();
  const refused = async (args: string[], wanted: RegExp, status = 2) => {
    const { code, stderr } = await lab.culvert("gen", args).ended();
    assert.equal(code, status, stderr);
    assert.match(stderr, wanted);
  };
  await refused(["null"], /Cannot send frames by null as that has no other end/);
  await refused(["packet:a", "--sizes", "59"], /as up to 256 sizes from 60 to 1514 are wanted/);
  await refused(["packet:a", "--rate", "fast"], /frames a second are wanted/);
  await refused(["packet:a", "--to", "1:2"], /as it is no MAC address/);
  await refused(["packet:culvert-none"], /there is no such interface/, 1);
});
