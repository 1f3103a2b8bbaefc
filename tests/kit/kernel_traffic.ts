/**
 * Traffic that the kernel makes, between two namespaces: ping, iperf3, what the kernel counts and
 * what tcpdump sees.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type CableEnd, type Lab, PATIENCE_MS, waitUntil } from "./lab.ts";

/** An interface with addresses in a namespace of its own. */
export type NetworkEnd = Pick<CableEnd, "netns" | "inner" | "ip4" | "ip6">;

/**
 * Move a TAP that a host has made into a namespace of its own, with the addresses of end `number`.
 * Before a guest is there: a TAP is down for a moment when it moves.
 */
export async function moveTap(lab: Lab, tap: string, number: number): Promise<NetworkEnd> {
  const netns = await lab.namespace();
  await lab.run("ip", "link", "set", tap, "netns", netns);
  const end = { netns, inner: tap, ip4: `10.78.0.${number}`, ip6: `fd00:78::${number}` };
  const ip = (...args: string[]) => lab.run("ip", "-n", netns, ...args);
  await ip("address", "add", `${end.ip4}/24`, "dev", tap);
  await ip("-6", "address", "add", `${end.ip6}/64`, "dev", tap, "nodad");
  await ip("link", "set", tap, "up");
  return end;
}

/** Put an end into a VLAN: from now on all its frames are tagged, in either direction. */
export async function enterVlan(lab: Lab, { netns, inner }: NetworkEnd, id: number): Promise<void> {
  const tagger = fileURLToPath(new URL("vlan_tagger.py", import.meta.url));
  const enter = ["ip", "netns", "exec", netns];
  const running = lab.start(...enter, "/usr/bin/env", "python3", tagger, inner, String(id));
  await running.stdoutLine(/^READY/);
}

/** Wait until one end's ping is answered by the other. */
export async function untilReachable(
  lab: Lab,
  from: NetworkEnd,
  to: NetworkEnd,
  patience = PATIENCE_MS,
): Promise<void> {
  const ping = ["ip", "netns", "exec", from.netns, "ping", "-c", "1", "-W", "1", to.ip4];
  const isReached = await waitUntil(async () => (await lab.tryRun(...ping)).code === 0, patience);
  assert(isReached, `${to.ip4} does not answer`);
}

/**
 * Ping `count` times; returns how many answers came. The kernel counts them, as ping itself waits
 * only two round trips for the last answer, or a second if there was none.
 *
 * @param also Further options of ping.
 * @param patience Milliseconds to wait for answers that have not come.
 */
export async function ping(
  lab: Lab,
  from: NetworkEnd,
  target: string,
  count: number,
  { bytes = 56, also = [] as readonly string[], patience = PATIENCE_MS } = {},
): Promise<number> {
  const counter = target.includes(":") ? "Icmp6InEchoReplies" : "IcmpInEchoReps";
  const answers = async () => (await kernelCounters(lab, from.netns)).get(counter) ?? 0;
  const before = await answers();
  const options = ["-c", String(count), "-i", "0.02", "-s", String(bytes), "-M", "do", ...also];
  await lab.tryRun("ip", "netns", "exec", from.netns, "ping", "-q", ...options, "-W", "1", target);
  let answered = 0;
  await waitUntil(async () => (answered = await answers() - before) >= count, patience);
  return answered;
}

/**
 * Ping at intervals so long that all lcores fall asleep: they do after 0.2 ms without work.
 *
 * @returns the round trips in milliseconds, shortest first. All must be answered.
 */
export async function roundTrips(
  lab: Lab,
  from: NetworkEnd,
  target: string,
  count = 30,
): Promise<number[]> {
  const ping = ["ping", "-c", `${count + 1}`, "-i", "0.05", "-W", "3", target];
  await lab.inNamespace(from.netns, ...ping.with(2, "2")); // addresses are known after these
  const { stdout } = await lab.inNamespace(from.netns, ...ping);
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms));
  assert(times.length >= count, stdout); // ping may not wait for the last
  return times.slice(0, count).sort((a, b) => a - b);
}

/**
 * The median of 30 round trips in milliseconds. A machine that is busy delays them too, so that
 * the least of four medians counts; the first below `enough` is the last.
 */
export async function medianRoundTrip(
  lab: Lab,
  from: NetworkEnd,
  target: string,
  enough: number,
): Promise<number> {
  let least = Infinity;
  for (let tries = 0; tries < 4 && least >= enough; tries++) {
    least = Math.min(least, (await roundTrips(lab, from, target))[15]);
    console.log(`  ping: median ${least} ms`);
  }
  return least;
}

/** What an iperf3 test came to. */
export interface Throughput {
  readonly bytes: number;
  readonly gigabitsPerSecond: number;
}

/**
 * Run iperf3 from one end to an address of the other, in the manner of `options`. Each test has a
 * server of its own: one that has just served a test closes its listener, and resets whoever has
 * connected meanwhile.
 *
 * @throws {AssertionError} if it does not complete, or nothing arrives.
 */
export async function iperf(
  lab: Lab,
  from: NetworkEnd,
  to: NetworkEnd,
  target: string,
  ...options: string[]
): Promise<Throughput> {
  const serve = ["iperf3", "--server", "--one-off", "--forceflush"];
  const server = lab.start("ip", "netns", "exec", to.netns, ...serve);
  await server.stdoutLine(/listening/);
  const command = ["iperf3", "--json", "--client", target, "--connect-timeout", "10000"];
  const enter = ["ip", "netns", "exec", from.netns];
  const client = await lab.tryRun(...enter, ...command, ...options);
  const served = await server.ended();
  const { end, error } = JSON.parse(client.stdout);
  const said = `iperf3 ${
    options.join(" ")
  }: ${error}\nits server: ${served.stdout}${served.stderr}`;
  assert.equal(error, undefined, said);
  assert.deepEqual([client.code, served.code], [0, 0], said);
  const { bytes, bits_per_second } = end.sum_received ?? end.sum;
  assert(bytes > 0, said);
  return { bytes, gigabitsPerSecond: bits_per_second / 1e9 };
}

/** The kernel's counters in a namespace, by name. */
export async function kernelCounters(lab: Lab, netns: string): Promise<Map<string, number>> {
  const { stdout } = await lab.inNamespace(netns, "nstat", "-asz");
  const lines = stdout.matchAll(/^(\w+)\s+(\d+)/gm);
  return new Map([...lines].map(([, name, value]) => [name, Number(value)]));
}

const BROKEN = /(InCsumErrors|InHdrErrors|InTruncatedPkts|TcpInErrs)$/;

/** Assert that the kernel found no frame broken at these ends: no bad checksum, no bad length. */
export async function assertNothingBroken(lab: Lab, ...ends: NetworkEnd[]): Promise<void> {
  for (const { netns } of ends) {
    const counters = [...await kernelCounters(lab, netns)].filter(([name]) => BROKEN.test(name));
    assert(counters.length >= 8, `nstat tells only ${counters.map(([name]) => name)}`);
    assert.deepEqual(counters.filter(([, value]) => value > 0), [], netns);
  }
}

/** Assert that the interface leaves segmentation and checksums to its NIC: a veth's default. */
export async function assertOffloads(lab: Lab, { netns, inner }: NetworkEnd): Promise<void> {
  const { stdout } = await lab.inNamespace(netns, "ethtool", "-k", inner);
  assert.match(stdout, /^tx-checksumming: on$/m);
  assert.match(stdout, /^tcp-segmentation-offload: on$/m);
  assert.match(stdout, /^generic-receive-offload: off$/m);
}

/** Frames that tcpdump saw at an end. */
export interface Sight {
  readonly frames: number;
  /** Bytes on the wire of the longest one. */
  readonly longest: number;
  /** Lines of `tcpdump -vv` that tell of bad checksums. */
  readonly bad: string[];
  /** TCP segments and UDP datagrams whose checksum tcpdump has found right. */
  readonly good: number;
}

/** Watches frames in one direction at one end while `body` runs. */
export async function watch(
  lab: Lab,
  { netns, inner }: NetworkEnd,
  direction: "in" | "out",
  filter: string,
  body: () => Promise<unknown>,
): Promise<Sight> {
  const file = lab.newPath();
  const options = ["-i", inner, "-Q", direction, "-c", "3000", "-s", "0", "-U", "-w", file];
  const enter = ["ip", "netns", "exec", netns];
  const tcpdump = lab.start(...enter, "tcpdump", "-Z", "root", ...options, filter);
  await tcpdump.stderrLine(/listening on/);
  await body();
  await tcpdump.stop();
  const { stdout } = await lab.run("tcpdump", "-r", file, "-nn", "-e", "-vv");
  const lengths = [...stdout.matchAll(/, length (\d+): /g)].map(([, bytes]) => Number(bytes));
  const lines = stdout.split("\n");
  return {
    frames: lengths.length,
    longest: Math.max(0, ...lengths),
    bad: lines.filter((line) => /incorrect|bad .{0,4}cksum|wrong|truncated/.test(line)),
    good: lines.filter((line) => /\(correct\)|cksum ok/.test(line)).length,
  };
}

/** Whether an XDP program is attached to a cable's outer end. */
export async function hasXdpProgram(lab: Lab, { outer }: CableEnd): Promise<boolean> {
  return (await lab.run("ip", "link", "show", outer)).stdout.includes("prog/xdp");
}
