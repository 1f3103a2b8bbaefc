/**
 * Frames of all kinds, and what becomes of those that cannot be forwarded: each is counted, once.
 *
 * @module
 */
import assert from "node:assert/strict";
import { attach, leave } from "../guest/attaching.ts";
import { Channel } from "../../app/channel/channel.ts";
import { RING } from "../../app/memory/layout.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import {
  assertArrive,
  type HostAccount,
  Lab,
  packetPorts,
  pause,
  testFrame,
  until,
} from "../kit/lab.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Tags as they are on the wire: priority 5, VLAN 100; service VLAN 200 around it. */
const CUSTOMER_TAG = "8100a064";
const SERVICE_TAG = "88a800c8";

function drops({ dropped }: HostAccount): Record<string, number> {
  return Object.fromEntries(dropped);
}

Deno.test("Frames from 14 to 1514 bytes are forwarded as they are, both ways, in order", async () => {
  await using lab = await Lab.open();
  const running = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  const lengths = [14, 15, 16, 17, 59, 60, 61, 63, 64, 65, 127, 128, 129, 1023, 1513, 1514];
  await assertArrive(running.wires, lengths.map((bytes) => testFrame(bytes, { seed: bytes })));
  const { received, forwarded } = await lab.finish(running);
  assert.deepEqual([received, forwarded], [2 * lengths.length, 2 * lengths.length]);
});

Deno.test("VLAN tags are kept: one or two, customer and service, up to 1518 and 1522 bytes", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true, mtu: 1508 }); // or AF_PACKET refuses 1522
  const running = await lab.forwarding(pair);
  const tags = ["81000001", CUSTOMER_TAG, SERVICE_TAG, SERVICE_TAG + CUSTOMER_TAG];
  const frames = tags.flatMap((tags, i) => [
    testFrame(16 + tags.length / 2, { tags }), // Linux drops tags with less behind them
    testFrame(64, { tags, seed: i }),
    testFrame(1514 + tags.length / 2, { tags, seed: i }),
  ]);
  await assertArrive(running.wires, frames);
  assert.equal((await lab.finish(running)).forwarded, 2 * frames.length);
});

Deno.test("A frame of 1518 bytes with a tag passes interfaces of MTU 1500", async () => {
  await using lab = await Lab.open();
  const running = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  await assertArrive(running.wires, [testFrame(1518, { tags: CUSTOMER_TAG })]);
  await lab.finish(running);
});

Deno.test("Frames longer than --mtu allows are dropped and counted, the others are not", async () => {
  await using lab = await Lab.open();
  const running = await lab.forwarding(await lab.namespacePair({ quiet: true, mtu: 9000 }));
  const { a, b } = running.wires;
  for (const bytes of [9014, 1523, 9018]) {
    await a.send(testFrame(bytes, { tags: bytes === 9018 ? CUSTOMER_TAG : "" }), 5);
  }
  await assertArrive({ a, b }, [testFrame(1522), testFrame(60)]);
  const account = await lab.finish(running);
  assert.deepEqual(drops(account), { "longer than the frame limit (--mtu)": 15 });
  assert.equal(account.received, 19);
});

Deno.test("With --mtu 9000 jumbo frames are forwarded, with and without a tag", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true, mtu: 9000 });
  const running = await lab.forwarding(pair, { host: ["--mtu", "9000", "--mbufs", "2048"] });
  const jumbo = testFrame(9014);
  await assertArrive(running.wires, [jumbo, testFrame(9018, { tags: CUSTOMER_TAG }), jumbo]);
  assert.equal((await lab.finish(running)).forwarded, 6);
});

Deno.test("A frame that the other interface cannot take is refused there, and the next is sent", async () => {
  await using lab = await Lab.open();
  const a = await lab.cable({ quiet: true, mtu: 9000 });
  const b = await lab.cable({ quiet: true, mtu: 1500 });
  const running = await lab.forwarding({ a, b }, { host: ["--mtu", "9000", "--mbufs", "2048"] });
  const { wires } = running;
  await wires.a.send(testFrame(9014), 3);
  await wires.a.send(testFrame(1514));
  await wires.b.arrived((frame) => frame === testFrame(1514));
  const account = await lab.finish(running);
  const reason =
    "longer than the sending interface's MTU (ip link set IFACE mtu; 4 more for a tag)";
  assert.deepEqual(drops(account), { [reason]: 3 });
});

Deno.test("Frames without a guest are dropped and counted; those of the next guest are not", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const ports = packetPorts(pair.a, pair.b);
  const host = await lab.startHost([...ports, "-T", "1"]);
  const wires = await lab.wires(pair);
  await wires.a.send(testFrame(60), 300);
  await host.stdoutLine(new RegExp(`^${pair.a.outer} +300 .* 300$`));
  const guest = await lab.startGuest(["--no-mac-updating"]);
  await assertArrive(wires, [testFrame(61)]);
  const account = await lab.finish({ host, guest });
  assert.deepEqual(drops(account), { "no guest attached": 300 });
  assert.deepEqual([account.received, account.forwarded], [302, 2]);
});

Deno.test("A guest that is too slow fills its rings: frames are dropped, then flow again", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair, { host: ["--ring-size", "16", "-T", "1"] });
  const { host, guest, wires } = running;
  await guest.freeze();
  await wires.a.send(testFrame(60), 200);
  await host.stdoutLine(new RegExp(`^${pair.a.outer} +200 `));
  guest.kill("SIGCONT");
  await lab.flows(wires);
  const account = await lab.finish(running);
  const { "guest too slow, its rx ring full": slow = 0 } = drops(account);
  assert(slow >= 100, `${slow} frames dropped as the ring was full; host says ${host.stderr}`);
});

Deno.test("With all mbufs in a paused guest's hands frames are dropped, then flow again", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair, { host: ["--mbufs", "96", "-T", "1"] });
  const { host, guest, wires } = running;
  await guest.freeze();
  await wires.a.send(testFrame(60), 500);
  await host.stdoutLine(new RegExp(`^${pair.a.outer} +500 `));
  guest.kill("SIGCONT");
  await lab.flows(wires);
  const account = await lab.finish(running);
  const { "no mbuf free (--mbufs)": dropped = 0 } = drops(account);
  assert(dropped >= 300, `${dropped} frames dropped for want of mbufs`);
  assert.equal(account.mbufsTotal, 96);
});

Deno.test("A guest paused beyond its heartbeat gives its mbufs back when it wakes, and attaches again", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair, { host: ["--mbufs", "96"] });
  const { host, guest, wires } = running;
  await guest.freeze();
  await wires.a.send(testFrame(60), 500);
  await host.stderrLine(/guest 0 died: its heartbeat stopped/);
  await host.stderrLine(/guest 0 held \d+ mbufs: withheld, as it may only be paused/);
  await pause(100);
  guest.kill("SIGCONT");
  await guest.stderrLine(/the host had given us up/);
  await guest.stderrLine(/forwarding/);
  await lab.flows(wires);
  await host.stderrLine(/guest 0 held \d+ mbufs: taken back/);
  const account = await lab.finish(running);
  const { "held by the guest when it went": held = 0 } = drops(account);
  assert(held > 0 && held <= 96, `${held} frames held`);
});

Deno.test("Frames that a guest makes too short, too long or out of bounds are counted as malformed", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const ports = packetPorts(pair.a, pair.b);
  const host = await lab.startHost(ports);
  const wires = await lab.wires(pair);
  const { memory, close } = openRegion(lab.region)!;
  const attachment = await attach(memory, 0, { wantsMbufs: true, name: lab.region });
  const heart = setInterval(() => attachment.beat(performance.now()), 50);
  try {
    const [a, b] = attachment.channels.map(({ place }) => new Channel(memory, place));
    const first = attachment.channels[0].place;
    const used = (ring: number) =>
      memory.load(ring / 4 + RING.PRODUCER) - memory.load(ring / 4 + RING.CONSUMER);
    const burst = Burst.of(32);
    const malformed = [[128, 0], [128, 13], [128, 1523], [2355, 14], [0xffff, 0xffff]];
    await wires.a.send(testFrame(60), malformed.length + 1);
    await until(() => used(first.rx) > malformed.length);
    assert.equal(a.rx.dequeueBurst(burst, 32), malformed.length + 1);
    // Of the frames received, the first is sent as it is, the others malformed ...
    malformed.forEach(([offset, length], i) => burst.words[2 * i + 3] = dataWord(offset, length));
    assert.equal(b.tx.enqueueBurst(burst, malformed.length + 1), malformed.length + 1);
    // ... and of the empty mbufs too.
    let lent = 0;
    await until(() => (lent = a.lend.dequeueBurst(burst, 32)) === 32, () => `${lent} lent`);
    const mbufs = new Mbufs(memory, attachment.geometry);
    for (let i = 0; i < 32; i++) {
      const bytes = Uint8Array.fromHex(testFrame(70, { seed: i }));
      memory.u8.set(bytes, mbufs.frameByte(burst.words[2 * i], dataWord(128, 70)));
      burst.words[2 * i + 1] = dataWord(128, i < 30 ? 70 : i - 30);
    }
    assert.equal(a.tx.enqueueBurst(burst, 32), 32);
    await wires.a.arrived((frame) => frame.length === 140, 30);
    await wires.b.arrived((frame) => frame === testFrame(60));
    // What it never held is no frame at all.
    burst.words.fill(0xffffff, 0, 4);
    assert.equal(a.tx.enqueueBurst(burst, 2), 2);
    await until(() => used(first.tx) === 0);
  } finally {
    await leave(attachment);
    clearInterval(heart);
    close();
  }
  const ended = await host.stop();
  assert.match(ended.stdout, /also 2 handles that the guest gave back and did not hold/);
  const account = await lab.finishHost(host);
  assert.deepEqual(drops(account), { "malformed by the guest": 7 });
  assert.deepEqual([account.received, account.originated, account.forwarded], [6, 32, 31]);
});

Deno.test("A TAP that the host makes has the MTU asked for, forwards, and is gone at the end", async () => {
  await using lab = await Lab.open();
  const netns = await lab.namespace({ quiet: true });
  const [a, b] = [lab.name("tap"), lab.name("tap")];
  const ports = ["--port", `tap:${a}`, "--port", `tap:${b}`, "--mtu", "2000"];
  const host = await lab.startHost(ports, { netns });
  const found = await lab.link(a, netns);
  assert(found?.flags.includes("UP"));
  assert.equal(found?.mtu, 2000);
  const guest = await lab.startGuest(["--no-mac-updating"]);
  const wires = { a: await lab.wire(a, netns), b: await lab.wire(b, netns) };
  const tagged = testFrame(2018, { tags: CUSTOMER_TAG });
  await assertArrive(wires, [testFrame(60), testFrame(2014), tagged]);
  await lab.finish({ host, guest });
  assert.equal(await lab.link(a, netns), undefined);
  assert.equal(await lab.link(b, netns), undefined);
});

Deno.test("TAPs that are there, multi-queue ones too, are attached to and left as they were", async () => {
  await using lab = await Lab.open();
  const netns = await lab.namespace({ quiet: true });
  const [a, b] = [lab.name("tap"), lab.name("tap")];
  await lab.inNamespace(netns, "ip", "tuntap", "add", a, "mode", "tap", "vnet_hdr");
  await lab.inNamespace(netns, "ip", "tuntap", "add", b, "mode", "tap", "multi_queue");
  await lab.inNamespace(netns, "ip", "link", "set", b, "mtu", "1400", "up");
  const host = await lab.startHost(["--port", `tap:${a}`, "--port", `tap:${b}`], { netns });
  const guest = await lab.startGuest(["--no-mac-updating"]);
  const wires = { a: await lab.wire(a, netns), b: await lab.wire(b, netns) };
  await assertArrive(wires, [testFrame(60), testFrame(1414)]);
  await lab.finish({ host, guest });
  const [foundA, foundB] = [await lab.link(a, netns), await lab.link(b, netns)];
  assert.deepEqual(foundA?.flags.includes("UP"), false, "was down, is down");
  assert.deepEqual(foundB?.flags.includes("UP"), true, "was up, is up");
  assert.equal(foundB?.mtu, 1400);
});

Deno.test("An interface that was down is brought up meanwhile, and promiscuous", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  await lab.run("ip", "link", "set", pair.a.outer, "down");
  const running = await lab.forwarding(pair);
  for (const { outer } of [pair.a, pair.b]) {
    const found = await lab.link(outer);
    assert(found?.flags.includes("UP"));
    assert.equal(found?.promiscuity, 1);
  }
  await assertArrive(running.wires, [testFrame(60)]);
  await lab.finish(running);
  for (const { outer } of [pair.a, pair.b]) {
    const found = await lab.link(outer);
    assert.equal(found?.flags.includes("UP"), outer === pair.b.outer);
    assert.equal(found?.promiscuity, 0);
  }
});

Deno.test("Between null ports at full speed no frame and no mbuf is lost", async () => {
  await using lab = await Lab.open();
  const args = ["--port", "null:1514", "--port", "null:0", "--port", "ring", "--mbufs", "1000"];
  const host = await lab.startHost([...args, "-l", "0,1"]);
  const guest = await lab.startGuest(["-l", "0,1"]);
  await pause(500);
  const { forwarded } = await lab.finish({ host, guest });
  assert(forwarded > 10_000, `${forwarded} frames forwarded`);
});
