import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  account,
  assertBalanced,
  type CableEnd,
  Lab,
  type Running,
  waitUntil,
  xdpPorts,
} from "../kit/lab.ts";
import {
  assertNothingBroken,
  assertOffloads,
  enterVlan,
  iperf,
  kernelCounters,
  moveTap,
  type NetworkEnd,
  ping,
  type Sight,
  untilReachable,
  watch,
} from "../kit/kernel_traffic.ts";

const MTU = 1500;
const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;

/** What each TCP test sends, and each UDP test: bytes, in iperf3's options. */
const TCP = ["-n", "40M"], DATAGRAMS = ["-u", "-b", "50M", "-n", "2M"];

/** The ways that TCP and UDP take through a forwarder: a line for each, in iperf3's options. */
const TESTS: readonly { what: string; options: string[]; isIpv6?: boolean }[] = [
  { what: "TCP, IPv4", options: TCP },
  { what: "TCP, IPv4, from server to client", options: [...TCP, "-R"] },
  { what: "TCP, IPv6", options: [...TCP, "-6"], isIpv6: true },
  { what: "TCP, IPv6, from server to client", options: [...TCP, "-6", "-R"], isIpv6: true },
  { what: "UDP, 50 Mb/s", options: DATAGRAMS },
  { what: "UDP in IP fragments", options: [...DATAGRAMS, "-l", "8000"] },
];

interface Setting {
  readonly lab: Lab;
  readonly host: Running;
  readonly guest: Running;
  readonly a: NetworkEnd;
  readonly b: NetworkEnd;
}

/** How a guest is started: one that takes super-frames, or one that gets frames of the MTU. */
const WHOLE = ["--no-mac-updating"];
const CUT = ["--function", fileURLToPath(new URL("plain_function.ts", import.meta.url))];

/** A host and a guest process between two veths that have all offloads that a new veth has. */
async function betweenVeths(lab: Lab, guestArgs: readonly string[]): Promise<Setting> {
  const { a, b } = await lab.namespacePair();
  await assertOffloads(lab, a);
  await assertOffloads(lab, b);
  const host = lab.host(["--port", `packet:${a.outer}`, "--port", `packet:${b.outer}`, "-l", "0"]);
  return await withGuest(lab, host, a, b, guestArgs);
}

/** One end by AF_XDP, or both; senders there have to put VLAN tags into their frames. */
async function betweenXdp(lab: Lab, first: "packet" | "xdp"): Promise<Setting> {
  const { a, b } = await lab.namespacePair();
  for (const end of [a, b]) {
    await assertOffloads(lab, end);
    await lab.inNamespace(end.netns, "ethtool", "-K", end.inner, "txvlan", "off");
  }
  const host = lab.host(["--port", `${first}:${a.outer}`, ...xdpPorts([b]), "-l", "0"]);
  return await withGuest(lab, host, a, b, WHOLE);
}

/** A host and a guest process between two TAPs in namespaces of their own. */
async function betweenTaps(lab: Lab, guestArgs: readonly string[]): Promise<Setting> {
  const taps = [lab.name("t"), lab.name("t")];
  const host = await lab.startHost([
    ...taps.flatMap((name) => ["--port", `tap:${name}`]),
    "-l",
    "0",
  ]);
  const a = await moveTap(lab, taps[0], 1);
  const b = await moveTap(lab, taps[1], 2);
  return await withGuest(lab, host, a, b, guestArgs);
}

/** A host and a guest process between a veth and a TAP in a namespace of its own. */
async function betweenVethAndTap(lab: Lab, guestArgs: readonly string[]): Promise<Setting> {
  const { a: veth } = await lab.namespacePair();
  const a = { ...veth, ip4: "10.78.0.1", ip6: "fd00:78::1" };
  const ip = (...args: string[]) => lab.inNamespace(a.netns, "ip", ...args, "dev", a.inner);
  await ip("address", "add", `${a.ip4}/24`);
  await ip("-6", "address", "add", `${a.ip6}/64`, "nodad");
  const tap = lab.name("t");
  const host = await lab.startHost(["--port", `packet:${a.outer}`, "--port", `tap:${tap}`]);
  return await withGuest(lab, host, a, await moveTap(lab, tap, 2), guestArgs);
}

async function withGuest(
  lab: Lab,
  host: Running,
  a: NetworkEnd,
  b: NetworkEnd,
  guestArgs: readonly string[],
): Promise<Setting> {
  const guest = lab.guest(["-l", "1", "-T", "0", ...guestArgs]);
  const isOn = await waitUntil(() => / attached/.test(host.stderr));
  assert(isOn, `no guest attached:\n${host.stderr}\n${guest.stderr}`);
  await untilReachable(lab, a, b);
  return { lab, host, guest, a, b };
}

async function finish({ lab, host, guest, a, b }: Setting): Promise<void> {
  await assertNothingBroken(lab, a, b);
  assert.equal((await guest.stop()).code, 0);
  const { code, stdout, stderr } = await host.stop();
  assert.equal(code, 0, stderr);
  const counted = account(stdout);
  assertBalanced(counted);
  for (const why of ["super-frame that cannot be split", "longer than the frame limit (--mtu)"]) {
    assert.equal(counted.dropped.get(why), undefined, stdout);
  }
}

async function allTests({ lab, a, b }: Setting): Promise<void> {
  for (const { what, options, isIpv6 } of TESTS) {
    const target = isIpv6 ? b.ip6 : b.ip4;
    const { gigabitsPerSecond } = await iperf(lab, a, b, target, ...options);
    console.log(`  ${what}: ${gigabitsPerSecond.toFixed(3)} Gb/s`);
  }
}

/** Send 50 MB from `a` to `b`, and look at the frames at both ends. */
async function look(
  { lab, a, b }: Setting,
  target: string,
  tags: string,
): Promise<{ sent: Sight; received: Sight }> {
  const filter = `${tags} ${target === b.ip6 ? "ip6 and tcp" : "ip and tcp"}`;
  let sent: Sight | undefined;
  const received = await watch(lab, b, "in", filter, async () => {
    sent = await watch(lab, a, "out", filter, () => iperf(lab, a, b, target, "-n", "50M"));
  });
  assert(sent);
  return { sent, received };
}

/**
 * `b` must receive whole frames, none longer than its MTU allows.
 *
 * @param cutBy Who cuts super-frames: the host, then `a` must send some or the test would show
 *   nothing; or the kernel in front of a port that then does not take any, as our TAPs.
 */
async function assertSegments(
  setting: Setting,
  target: string,
  cutBy: "host" | "kernel",
  tags = "",
): Promise<void> {
  const frameMax = MTU + ETHERNET_BYTES + (tags ? TAG_BYTES : 0);
  const { sent, received } = await look(setting, target, tags);
  if (cutBy === "host") assert(sent.longest > 4 * MTU, `longest frame sent: ${sent.longest} bytes`);
  else assert.equal(sent.longest, frameMax, "longest frame sent");
  assert.equal(received.longest, frameMax, "longest frame received");
  assert(received.frames > 500, `${received.frames} frames seen`);
  assert.deepEqual(received.bad.slice(0, 5), [], "what tcpdump complains of");
  assert(received.good >= received.frames, `${received.good} checksums of ${received.frames} seen`);
}

/** `b` must receive super-frames as `a` sends them. */
async function assertWhole(setting: Setting, target: string, tags = ""): Promise<void> {
  const { sent, received } = await look(setting, target, tags);
  assert(sent.longest > 4 * MTU, `longest frame sent: ${sent.longest} bytes`);
  assert(received.longest > 4 * MTU, `longest frame received: ${received.longest} bytes`);
}

/** Both ends enter VLAN 42, one after the other: until then they do not hear each other. */
async function bothEnterVlan({ lab, a, b }: Setting): Promise<void> {
  await enterVlan(lab, a, 42);
  assert.equal(await ping(lab, a, b.ip4, 1, { patience: 500 }), 0, "one end only in the VLAN");
  await enterVlan(lab, b, 42);
  assert.equal(await ping(lab, a, b.ip4, 10, { bytes: 1472 }), 10, "frames of 1518 bytes");
}

for (
  const { what, open, cutBy } of [
    { what: "AF_PACKET on veths with all their offloads", open: betweenVeths, cutBy: "host" },
    { what: "TAPs", open: betweenTaps, cutBy: "kernel" },
  ] as const
) {
  Deno.test(`TCP and UDP go through ${what}, super-frames whole`, async () => {
    await using lab = await Lab.open();
    const setting = await open(lab, WHOLE);
    await allTests(setting);
    await assertWhole(setting, setting.b.ip4);
    await assertWhole(setting, setting.b.ip6);
    await finish(setting);
  });

  Deno.test(`TCP and UDP go through ${what}, cut for a guest that takes no offloads`, async () => {
    await using lab = await Lab.open();
    const setting = await open(lab, CUT);
    await allTests(setting);
    await assertSegments(setting, setting.b.ip4, cutBy);
    await assertSegments(setting, setting.b.ip6, cutBy);
    await finish(setting);
  });

  Deno.test(`TCP in a VLAN goes through ${what}`, async () => {
    await using lab = await Lab.open();
    const setting = await open(lab, WHOLE);
    const { a, b } = setting;
    await bothEnterVlan(setting);
    await iperf(lab, a, b, b.ip4, ...TCP);
    await iperf(lab, a, b, b.ip4, ...TCP, "-R");
    await iperf(lab, a, b, b.ip6, ...TCP, "-6");
    await assertWhole(setting, b.ip4, "vlan 42 and");
    await finish(setting);
  });
}

Deno.test("TCP and UDP go through AF_XDP on veths with all their offloads", async () => {
  await using lab = await Lab.open();
  const setting = await betweenXdp(lab, "xdp");
  await allTests(setting);
  await assertSegments(setting, setting.b.ip4, "kernel");
  await assertSegments(setting, setting.b.ip6, "kernel");
  await finish(setting);
});

Deno.test("TCP in a VLAN goes through AF_XDP", async () => {
  await using lab = await Lab.open();
  const setting = await betweenXdp(lab, "xdp");
  const { a, b } = setting;
  await bothEnterVlan(setting);
  await iperf(lab, a, b, b.ip4, ...TCP);
  await iperf(lab, a, b, b.ip6, ...TCP, "-6", "-R");
  await finish(setting);
});

Deno.test("TCP and UDP go from AF_PACKET to AF_XDP, for which super-frames are cut", async () => {
  await using lab = await Lab.open();
  const setting = await betweenXdp(lab, "packet");
  await allTests(setting);
  await assertSegments(setting, setting.b.ip4, "host");
  await assertSegments(setting, setting.b.ip6, "host");
  await finish(setting);
});

Deno.test("TCP goes between a veth and a TAP, super-frames whole", async () => {
  await using lab = await Lab.open();
  const setting = await betweenVethAndTap(lab, WHOLE);
  await allTests(setting);
  await assertWhole(setting, setting.b.ip4);
  await finish(setting);
});

Deno.test("Super-frames are cut for an interface whose device cannot segment", async () => {
  await using lab = await Lab.open();
  const setting = await betweenVeths(lab, WHOLE);
  const { a, b } = setting;
  for (const { outer } of [a, b] as CableEnd[]) {
    await lab.run("ethtool", "-K", outer, "tso", "off", "gso", "off", "tx-udp-segmentation", "off");
  }
  await allTests(setting);
  await finish(setting);
});

Deno.test("the kernel's counters tell of bad checksums that came through", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const host = lab.host(["--port", `packet:${a.outer}`, "--port", `packet:${b.outer}`, "-l", "0"]);
  const { guest } = await withGuest(lab, host, a, b, WHOLE);
  await assertNothingBroken(lab, a, b);
  const wire = await lab.wire(a.inner, a.netns);
  const addresses = `${b.mac}${a.mac}`.replaceAll(":", "");
  // IPv4 10.77.0.1 -> 10.77.0.2, 32 bytes, checksum right; UDP 9 -> 9, 12 bytes, checksum wrong.
  const ip = "45000020000100004011" + "6630" + "0a4d0001" + "0a4d0002";
  const udp = "00090009000c" + "dead" + "01020304";
  await wire.send(`${addresses}0800${ip}${udp}${"00".repeat(14)}`, 3);
  const count = async () => (await kernelCounters(lab, b.netns)).get("UdpInCsumErrors");
  assert(await waitUntil(async () => await count() === 3), `UdpInCsumErrors: ${await count()}`);
  await assert.rejects(() => assertNothingBroken(lab, b), /UdpInCsumErrors/);
  await guest.stop();
  await lab.stopHost(host);
});
