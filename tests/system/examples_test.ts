/**
 * The examples, between the kernel's network stacks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { between, connects, countOf, example, peerServer } from "../kit/example_guest.ts";
import { ping } from "../kit/kernel_traffic.ts";
import { type CableEnd, Lab, packetPorts, until } from "../kit/lab.ts";

Deno.test("acl: the kernel's TCP, UDP and ping get through as the rules say", async () => {
  await using lab = await Lab.open();
  const rules = "deny tcp from 10.77.0.1 to any:8000-8001, allow tcp from any to any, " +
    "deny icmp from any to 10.77.0.2/31, allow icmp from 10.77.0.1 to any";
  const { a, b, host, guest } = await between(lab, example("acl", { rules }));
  await peerServer(lab, a, 8000);
  await peerServer(lab, b, 7999, 8000, 8001, 8002);
  const to = (port: number) => connects(lab, a, b.ip4, port);
  assert.deepEqual(
    await Promise.all([7999, 8000, 8001, 8002].map(to)),
    [true, false, false, true],
  );
  assert.equal(await connects(lab, b, a.ip4, 8000), true, "the rule names the other source");
  assert.equal(await ping(lab, a, b.ip4, 1, { patience: 2000 }), 0);
  const { dropped } = await lab.finish({ host, guest });
  assert((dropped.get("dropped by the guest") ?? 0) >= 3);
});

Deno.test("rate_limit: of a burst of pings as many are answered as the bucket has tokens for", async () => {
  await using lab = await Lab.open();
  const set = { rate: 0, burst: 14, per: "source" };
  const { a, b, host, guest } = await between(lab, example("rate_limit", set));
  assert.equal(await ping(lab, a, b.ip4, 20, { also: ["-i", "0.01"], patience: 2000 }), 14);
  assert.equal(await ping(lab, b, a.ip4, 1, { patience: 2000 }), 0, "its replies took its tokens");
  const { dropped } = await lab.finish({ host, guest });
  assert.equal(dropped.get("dropped by the guest"), 7);
});

Deno.test("a chain of acl, rate_limit and syn_counter: each sees what the one before has kept", async () => {
  await using lab = await Lab.open();
  const rules = "deny tcp from any to any:8001, allow ip from any to any";
  const { a, b, host, guest } = await between(lab, [
    ...example("acl", { rules }),
    ...example("rate_limit", { rate: 0, burst: 150, per: "source" }),
    ...example("syn_counter", { seconds: 1 }),
  ]);
  await peerServer(lab, b, 8000, 8001);
  for (let i = 0; i < 5; i++) assert.equal(await connects(lab, a, b.ip4, 8000), true);
  assert.equal(await connects(lab, a, b.ip4, 8001), false);
  await until(() => countOf(guest, "TCP SYN") === 5);
  await guest.stderrLine(/TCP SYN: 10\.77\.0\.1 \d$/);
  assert.equal(
    await ping(lab, a, b.ip4, 200, { also: ["-i", "0.002"], patience: 2000 }) < 150,
    true,
  );
  assert.equal(await connects(lab, a, b.ip4, 8000), false, "no tokens are left");
  assert.equal(countOf(guest, "TCP SYN"), 5);
  await lab.finish({ host, guest });
});

Deno.test("learning_switch: four namespaces ping each other, and others do not see it", async () => {
  await using lab = await Lab.open();
  const ends: CableEnd[] = [];
  for (let number = 1; number <= 4; number++) ends.push(await lab.cable({ number }));
  const [a, b, c, d] = ends;
  const wire = await lab.wire(d.inner, d.netns);
  const host = await lab.startHost(packetPorts(...ends));
  const guest = await lab.startGuest([...example("learning_switch"), "-T", "0"]);
  for (const from of ends) {
    for (const to of ends) {
      if (from !== to) assert.equal(await ping(lab, from, to.ip4, 1), 1);
    }
  }
  const before = wire.received.length;
  assert.equal(await ping(lab, a, b.ip4, 50), 50);
  assert.equal(await ping(lab, c, a.ip4, 50), 50);
  const own = d.mac.replaceAll(":", ""); // a reply to its last ping may be read late
  const seen = wire.received.slice(before)
    .filter((frame) => frame.slice(24, 28) === "0800" && !frame.startsWith(own));
  assert.deepEqual(seen, [], "port 3 gets none of them");
  await lab.finish({ host, guest });
});
