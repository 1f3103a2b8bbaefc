/**
 * The examples that answer, copy and tag frames, between the kernel's network stacks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { between, connects, countOf, example, peerServer } from "../kit/example_guest.ts";
import { assertNothingBroken, enterVlan, iperf, ping } from "../kit/kernel_traffic.ts";
import { type CableEnd, Lab, packetPorts, testFrame, until } from "../kit/lab.ts";

Deno.test("responder: answers the kernel's ARP and ping for an address that nobody has", async () => {
  await using lab = await Lab.open();
  const { a, b, host, guest } = await between(lab, example("responder", { address: "10.77.0.9" }));
  for (const end of [a, b]) {
    const sizes = [["-s", "0"], ["-s", "1472"], ["-R"]]; // and with options in the IPv4 header
    for (const size of sizes) {
      assert.equal(await ping(lab, end, "10.77.0.9", 3, { also: size }), 3);
    }
    const neighbours = await lab.run("ip", "-n", end.netns, "neighbour", "show", "10.77.0.9");
    assert(neighbours.stdout.includes((await lab.link(end.outer))!.address), neighbours.stdout);
  }
  await peerServer(lab, b, 8000);
  assert.equal(await connects(lab, a, b.ip4, 8000), true, "all else goes on");
  assert.equal(await ping(lab, a, b.ip4, 1), 1);
  await assertNothingBroken(lab, a, b);
  await lab.finish({ host, guest });
});

Deno.test("sampler: a third port gets every Nth of the frames that two kernels exchange", async () => {
  await using lab = await Lab.open();
  const ends: CableEnd[] = [];
  for (let number = 1; number <= 2; number++) ends.push(await lab.cable({ number }));
  const [a, b] = ends;
  const c = await lab.cable({ number: 3, quiet: true });
  const wires = [await lab.wire(a.inner, a.netns), await lab.wire(b.inner, b.netns)];
  const sampled = await lab.wire(c.inner, c.netns);
  const host = await lab.startHost(packetPorts(a, b, c));
  const set = { every: 7, port: 2 };
  const guest = await lab.startGuest([...example("sampler", set), "-T", "1"]);
  assert.equal(await ping(lab, a, b.ip4, 60), 60);
  const copies = await sampled.arrived(() => true, Math.floor(120 / 7));
  await until(() => countOf(guest, "samples") === sampled.received.length);
  const exchanged = new Set(wires.flatMap((wire) => wire.received));
  assert.deepEqual(copies.filter((frame) => !exchanged.has(frame)), []);
  assert(copies.length <= 130 / 7, `${copies.length} samples of 120 pings, and some ARP`);
  await lab.finish({ host, guest });
});

/** The VLAN of a frame in hexadecimal, if it has a tag. */
function vlanOf(frame: string): number | undefined {
  return frame.slice(24, 28) === "8100" ? parseInt(frame.slice(28, 32), 16) & 0xfff : undefined;
}

for (
  const [map, from, to] of [
    ["10:20", 10, 20],
    ["none:30", undefined, 30],
  ] as const
) {
  Deno.test(`vlan_rewrite: map=${map} joins what the kernel tags so, and nothing else`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await lab.namespacePair();
    if (from !== undefined) await enterVlan(lab, a, from);
    await enterVlan(lab, b, to);
    const wires = await lab.wires({ a, b }); // they see frames before their tags are taken away
    const host = await lab.startHost(packetPorts(a, b));
    const guest = await lab.startGuest([...example("vlan_rewrite", { map }), "-T", "0"]);
    assert.equal(await ping(lab, a, b.ip4, 20), 20);
    assert.deepEqual(new Set(wires.a.received.map(vlanOf)), new Set([from]));
    assert.deepEqual(new Set(wires.b.received.map(vlanOf)), new Set([to]));
    for (const options of [[], ["--reverse"]]) {
      const { bytes } = await iperf(lab, a, b, b.ip4, "--time", "1", ...options);
      assert(bytes > 100_000, `${options}: ${bytes} bytes`);
    }
    await assertNothingBroken(lab, a, b);
    await lab.finish({ host, guest });
  });
}

Deno.test("vlan_rewrite: of frames in other VLANs none gets through", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding({ a, b }, {
    guest: example("vlan_rewrite", { map: "10:20" }),
  });
  for (const tag of ["", "8100000b", "81000014", "8100000a"]) {
    await wires.a.send(testFrame(64, { tags: tag }));
  }
  assert.deepEqual(await wires.b.arrived(() => true), [testFrame(64, { tags: "81000014" })]);
  const { dropped } = await lab.finish({ host, guest });
  assert.equal(dropped.get("dropped by the guest"), 3);
});
