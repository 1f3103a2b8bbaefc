/**
 * What the kernel leaves to a NIC at the ports of a forwarder, as real senders make it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CableEnd, Lab, packetPorts } from "../kit/lab.ts";
import { kernelCounters } from "../kit/kernel_traffic.ts";

/** Datagrams of a batch, in bytes, and how many batches of 20 are sent. */
const DATAGRAM = 1000, BATCHES = 50;

const RECEIVE = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
s.bind(("0.0.0.0", 9000))
s.settimeout(3)
print("READY", flush=True)
n = 0
try:
    while n < int(sys.argv[1]):
        assert s.recv(2000) == b"x" * ${DATAGRAM}
        n += 1
except TimeoutError:
    pass
print("RECEIVED", n, flush=True)
`;

const SEND = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, ${DATAGRAM})  # UDP_SEGMENT
s.connect((sys.argv[1], 9000))
for _ in range(${BATCHES}):
    s.send(b"x" * (20 * ${DATAGRAM}))
    time.sleep(0.005)
`;

/** Send datagrams in batches from one namespace to the other; returns how many arrived. */
async function datagrams(lab: Lab, from: CableEnd, to: CableEnd): Promise<number> {
  const python = (netns: string, text: string, argument: string) =>
    lab.start("ip", "netns", "exec", netns, "/usr/bin/python3", "-c", text, argument);
  const receiver = python(to.netns, RECEIVE, `${20 * BATCHES}`);
  await receiver.stdoutLine(/READY/);
  assert.equal((await python(from.netns, SEND, to.ip4).ended()).code, 0);
  return Number(/RECEIVED (\d+)/.exec(await receiver.stdoutLine(/RECEIVED/))![1]);
}

/** Settings of `ethtool -K`, in this namespace or another. */
async function offloads(lab: Lab, link: string, settings: string, netns = ""): Promise<void> {
  const command = ["ethtool", "-K", link, ...settings.split(" ")];
  await (netns === "" ? lab.run(...command) : lab.inNamespace(netns, ...command));
}

Deno.test("UDP that fraglist GRO has merged arrives, whole and with right checksums", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  await offloads(lab, a.inner, "tso off tx-udp-segmentation off", a.netns);
  await offloads(lab, a.outer, "gro on rx-gro-list on");
  const host = await lab.startHost(packetPorts(a, b));
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const arrived = await datagrams(lab, a, b);
  const errors = (await kernelCounters(lab, b.netns)).get("UdpInCsumErrors") ?? 0;
  assert.equal(errors, 0);
  assert(arrived >= 0.99 * 20 * BATCHES, `${arrived} of ${20 * BATCHES} arrived`);
  await lab.finish({ host, guest });
});

Deno.test("TCP in VXLAN passes with all offloads that its sender has", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  for (const [here, there, number] of [[a, b, 1], [b, a, 2]] as const) {
    const ip = (...args: string[]) => lab.inNamespace(here.netns, "ip", ...args);
    const peers = ["remote", there.ip4, "local", here.ip4, "dev", here.inner];
    await ip("link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "4789", ...peers);
    await ip("link", "set", "vx0", "up");
    await ip("address", "add", `10.78.0.${number}/24`, "dev", "vx0");
  }
  const host = await lab.startHost(packetPorts(a, b));
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const server = lab.start("ip", "netns", "exec", b.netns, "iperf3", "-s", "-1", "--forceflush");
  await server.stdoutLine(/listening/);
  const client = await lab.inNamespace(
    a.netns,
    ...["iperf3", "-J", "-c", "10.78.0.2", "-t", "2", "--connect-timeout", "5000"],
  );
  const megabits = JSON.parse(client.stdout).end.sum_received.bits_per_second / 1e6;
  assert(megabits > 50, `${megabits} Mb/s`); // some 0.1 where they are dropped
  const { dropped } = await lab.finish({ host, guest });
  for (const reason of dropped.keys()) assert.doesNotMatch(reason, /split/);
});
