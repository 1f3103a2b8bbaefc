/**
 * Frames that end at a port, each by its own name, and interfaces that live on while they are used.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cString, shim } from "../../ffi/shim.ts";
import { Lab, packetPorts, testFrame } from "../kit/lab.ts";

const TOO_LONG =
  "longer than the sending interface's MTU (ip link set IFACE mtu; 4 more for a tag)";
const NO_CARRIER = "sending interface without carrier";

Deno.test("A service tag's frame of full size is told to be too long for the interface", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true, mtu: 1504 });
  await lab.run("ip", "link", "set", pair.b.outer, "mtu", "1500");
  const running = await lab.forwarding(pair);
  const { a, b } = running.wires;
  await a.send(testFrame(1518, { tags: "88a800c8" }), 7);
  await a.send(testFrame(60), 1);
  await b.arrived((frame) => frame === testFrame(60), 1);
  const { dropped } = await lab.finish(running);
  assert.deepEqual([...dropped], [[TOO_LONG, 7]]);
});

Deno.test("Frames for an interface without carrier are told so, and others go on", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair);
  const { a, b } = running.wires;
  await lab.inNamespace(pair.b.netns, "ip", "link", "set", pair.b.inner, "down");
  await a.send(testFrame(64), 9);
  await lab.inNamespace(pair.b.netns, "ip", "link", "set", pair.b.inner, "up");
  await lab.flows({ a, b });
  const { dropped } = await lab.finish(running);
  assert.equal(dropped.get(NO_CARRIER), 9, JSON.stringify([...dropped]));
});

/** Makes a TAP, and gives it a carrier or takes it away, as lines of its input say. */
const SWITCHED_TAP = `
import fcntl, os, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002)) # TUNSETIFF
print("READY", flush=True)
for line in sys.stdin:
    fcntl.ioctl(tap, 0x400454e2, struct.pack("i", int(line))) # TUNSETCARRIER
    print("CARRIER", flush=True)
`;

Deno.test("A carrier that comes and goes within a second is seen at once, before IFF_RUNNING", async () => {
  await using lab = await Lab.open();
  const name = lab.name("t");
  const tap = lab.start("/usr/bin/python3", "-c", SWITCHED_TAP, name);
  await tap.stdoutLine(/READY/);
  await lab.run("ip", "link", "set", name, "up");
  const words = new Uint32Array(6), IFF_RUNNING = 0x40;
  for (const carrier of [0, 1, 0, 1, 0, 1]) {
    await tap.write(`${carrier}`);
    await tap.stdoutLine(/CARRIER/);
    assert.equal(shim.shim_interface_get(cString(name), words), 0);
    assert.equal(words[1] & IFF_RUNNING, carrier * IFF_RUNNING);
  }
  tap.kill("SIGKILL");
});

/** Opens a macvtap, as QEMU does for a VM that is paused: frames wait there, and nobody reads. */
const PAUSED_VM = `
import os, pathlib, sys, time
[device] = pathlib.Path(f"/sys/class/net/{sys.argv[1]}/macvtap").iterdir()
major, minor = map(int, (device / "dev").read_text().split(":"))
os.mknod(sys.argv[2], 0o20600, os.makedev(major, minor))
os.open(sys.argv[2], os.O_RDWR)
os.unlink(sys.argv[2])
print("READY", flush=True)
time.sleep(600)
`;

Deno.test("Frames for a macvtap that nobody reads do not stop those for others", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { netns, inner } = pair.b;
  const ip = (...args: string[]) => lab.inNamespace(netns, "ip", "link", ...args);
  await ip(
    ..."add link INNER name mt0 type macvtap mode bridge".replace("INNER", inner).split(" "),
  );
  await ip("set", "mt0", "address", "02:aa:aa:aa:aa:aa", "up"); // where testFrame() goes
  const python = ["/usr/bin/python3", "-c", PAUSED_VM, "mt0", lab.newPath()];
  const paused = lab.start("ip", "netns", "exec", netns, ...python);
  await paused.stdoutLine(/READY/);
  const running = await lab.forwarding(pair);
  const { a, b } = running.wires;
  await a.send(testFrame(1514), 600);
  const other = testFrame(99).replace("02aaaaaaaaaa", "02cccccccccc");
  await a.send(other, 3);
  await b.arrived((frame) => frame === other, 3);
  paused.kill("SIGKILL");
  await lab.finish(running);
});

Deno.test("A host on an interface where another one receives says that frames will arrive twice", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const first = await lab.forwarding(pair);
  const region = lab.newRegion();
  const ports = [...packetPorts(pair.a, pair.b), "--region", region];
  const second = await lab.startHost(ports);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0", "--region", region]);
  const told = (port: string) => `port ${port}: another program receives all frames here, too`;
  for (const { outer } of [pair.a, pair.b]) assert(second.stderr.includes(told(outer)));
  assert.doesNotMatch(first.host.stderr, /another program/);
  const frame = testFrame(99);
  await first.wires.a.send(frame);
  await first.wires.b.arrived((found) => found === frame, 2);
  await guest.stop();
  await lab.stopHost(second);
  await lab.finish(first);
});

/** What happens to an interface while it is forwarded from and to. */
const LIVES: Record<string, (lab: Lab, outer: string) => Promise<void>> = {
  "goes to another network namespace and comes back": async (lab, outer) => {
    const elsewhere = await lab.namespace({ quiet: true });
    await lab.run("ip", "link", "set", outer, "netns", elsewhere);
    await lab.inNamespace(elsewhere, "ip", "link", "set", outer, "netns", "1");
    await lab.run("ip", "link", "set", outer, "up");
  },
  "is renamed, and then goes down and up": async (lab, outer) => {
    const other = lab.name("r");
    lab.removeLink(other);
    await lab.run("ip", "link", "set", outer, "down");
    await lab.run("ip", "link", "set", outer, "name", other);
    await lab.run("ip", "link", "set", other, "up");
    await lab.run("ip", "link", "set", other, "down");
    await lab.run("ip", "link", "set", other, "up");
  },
  "is put into a bridge": async (lab, outer) => {
    await lab.run("ip", "link", "set", outer, "master", await lab.bridge());
  },
  "gets another MAC address": async (lab, outer) => {
    await lab.run("ip", "link", "set", outer, "address", "02:00:00:00:77:01");
  },
  "gets another MTU": async (lab, outer) => {
    await lab.run("ip", "link", "set", outer, "mtu", "1400");
    await lab.run("ip", "link", "set", outer, "mtu", "1500");
  },
};

for (const [what, happens] of Object.entries(LIVES)) {
  Deno.test(`Frames flow again both ways when an interface ${what}`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair({ quiet: true });
    const running = await lab.forwarding(pair);
    await lab.flows(running.wires);
    await happens(lab, pair.a.outer);
    await lab.flows(running.wires);
    await lab.finish(running);
  });
}

for (const kind of ["renamed", "moved to another namespace, and back,"] as const) {
  Deno.test(`Frames flow through a TAP that was ${kind} and goes down and up`, async () => {
    await using lab = await Lab.open();
    const b = await lab.cable({ quiet: true, number: 2 });
    const tap = lab.name("t"), other = lab.name("t");
    const host = await lab.startHost(["--port", `tap:${tap}`, ...packetPorts(b)]);
    const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
    let name = tap;
    if (kind === "renamed") {
      await lab.run("ip", "link", "set", tap, "down");
      await lab.run("ip", "link", "set", tap, "name", name = other);
    } else {
      const elsewhere = await lab.namespace({ quiet: true });
      await lab.run("ip", "link", "set", tap, "netns", elsewhere);
      await lab.inNamespace(elsewhere, "ip", "link", "set", tap, "netns", "1");
    }
    await lab.run("ip", "link", "set", name, "up");
    await lab.run("ip", "link", "set", name, "down");
    const wire = await lab.wire(b.inner, b.netns);
    await wire.send(testFrame(60)); // a TAP that is down is seen by sending
    await host.stderrLine(/ is down: /);
    await lab.run("ip", "link", "set", name, "up");
    await lab.flows({ a: await lab.wire(name), b: wire });
    await lab.finish({ host, guest });
  });
}

/** Prints READY, and then the lengths of frames that leave by an interface, a line each. */
const CAPTURE_OUT = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
print("READY", flush=True)
while True:
    data, (_, _, kind, _, _) = s.recvfrom(65536)
    if kind == 4:
        print("SENT", len(data), flush=True)
`;

for (const visible of [true, false]) {
  Deno.test(
    `A capture on this machine ${visible ? "sees" : "does not see"} what a packet port sends${
      visible ? ", if it is to be visible" : ""
    }`,
    async () => {
      await using lab = await Lab.open();
      const { a, b } = await lab.namespacePair({ quiet: true });
      const port = `packet:${b.outer}${visible ? ",visible" : ""}`;
      const host = await lab.startHost(["--port", `packet:${a.outer}`, "--port", port]);
      const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
      const wires = await lab.wires({ a, b });
      const capture = lab.start("python3", "-c", CAPTURE_OUT, b.outer);
      await capture.stdoutLine(/READY/);
      const frame = testFrame(777);
      await wires.a.send(frame);
      await wires.b.arrived((found) => found === frame);
      if (visible) await capture.stdoutLine(/SENT 777/);
      else assert.doesNotMatch(capture.stdout, /SENT/);
      capture.kill("SIGKILL");
      await lab.finish({ host, guest });
    },
  );
}
