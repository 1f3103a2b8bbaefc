/**
 * Numbers that do not fit each other: MTUs, mbufs, sizes. Each is refused, or told, as what it is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Lab, packetPorts, testFrame } from "../kit/lab.ts";

Deno.test("A host whose --mtu does not fit an interface says so at the start", async () => {
  await using lab = await Lab.open();
  const a = await lab.cable({ quiet: true, number: 1, mtu: 9000 });
  const b = await lab.cable({ quiet: true, number: 2, mtu: 1450 });
  const host = lab.host(packetPorts(a, b));
  const line = (name: string, mtu: number) =>
    `the interface of port ${name} has an MTU of ${mtu}, --mtu is 1500: `;
  await host.stderrLine(new RegExp(`${line(a.outer, 9000)}longer frames are dropped`));
  await host.stderrLine(new RegExp(`${line(b.outer, 1450)}it refuses longer frames; use ip link`));
  await host.stderrLine(/is ready/);
  await lab.run("ip", "link", "set", a.outer, "mtu", "65535"); // as many as --mtu cannot be
  const most = `ip link set ${a.outer} mtu 9216, and --mtu 9216$`;
  await host.stderrLine(
    new RegExp(`${line(a.outer, 65535)}longer frames are dropped; use ${most}`),
  );
  await lab.run("ip", "link", "set", b.outer, "mtu", "1500");
  await host.stderrLine(/has an MTU of 1500, --mtu is 1500/);
  await lab.finishHost(host);
});

Deno.test("A host says that an interface got another MAC address, or was made anew", async () => {
  await using lab = await Lab.open();
  const a = await lab.cable({ quiet: true });
  const host = await lab.startHost(packetPorts(a));
  await lab.run("ip", "link", "set", a.outer, "address", "02:00:00:00:77:01");
  await host.stderrLine(/has the MAC address 02:00:00:00:77:01 now/);
  await lab.run("ip", "link", "delete", a.outer);
  await lab.remake(a);
  await host.stderrLine(/was made anew/);
  await lab.finishHost(host);
});

Deno.test("A host with too few mbufs for its ports is refused with the number that it takes", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  const host = lab.host([...packetPorts(a, b), "--mbufs", "64"]);
  const { code, stderr } = await host.ended();
  assert.equal(code, 1);
  assert.match(stderr, /with 64 mbufs as 96 are needed.*use --mbufs 96 or more/);
  const enough = await lab.startHost([...packetPorts(a, b), "--mbufs", "96"]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  await lab.flows(await lab.wires({ a, b }));
  await lab.finish({ host: enough, guest });
});

Deno.test("A host with --mtu 9000 starts, and frames of 9014 bytes pass", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true, mtu: 9000 });
  const running = await lab.forwarding(pair, { host: ["--mtu", "9000"] });
  const frame = testFrame(9014);
  await running.wires.a.send(frame);
  await running.wires.b.arrived((found) => found === frame, 1);
  await lab.finish(running);
});
