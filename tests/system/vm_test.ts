import assert from "node:assert/strict";
import {
  account,
  assertBalanced,
  type CableEnd,
  Lab,
  PATIENCE_MS,
  type Running,
  waitUntil,
} from "./lab.ts";
import type { PeerReport } from "./numbered_peer.ts";
import { assertNothingBroken, iperf, moveTap, ping, untilReachable } from "./traffic.ts";

/** A VM boots in 5 s on a machine of its own, and builds its image before if there is none. */
const BOOT_MS = 180_000;

/** Frames a second each way: a fifth of what a guest under TCG carries without loss on two cores. */
const RATE = 5000;
const FRAMES = 10_000;

/** Frames wait in the rings, some 0.8 s of them, while a busy machine gives QEMU no time. */
const ROOM = ["--ring-size", "4096", "--mbufs", "16384"];

/** Start a VM with a guest that forwards, on the lab's region. */
function startVm(lab: Lab): Running {
  return lab.culvert("qemu", [
    "--run",
    "--region",
    lab.region,
    "--",
    ...["-T", "0", "--no-mac-updating"],
  ]);
}

/** Process ids of QEMUs that have a host's region mapped. */
function qemusOf(host: Running): number[] {
  const ids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Boolean);
  return ids.filter((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(
        `mem-path=/proc/${host.pid}/fd/`,
      );
    } catch {
      return false; // it has just ended
    }
  });
}

/** End QEMUs that a test has left behind, which live on without `culvert qemu`. */
function endQemus(host: Running): Promise<void> {
  for (const pid of qemusOf(host)) Deno.kill(pid, "SIGKILL");
  return Promise.resolve();
}

/** Send numbered frames from each end to the other; both must see them all, in order, untouched. */
async function exchangeNumbered(lab: Lab, ends: CableEnd[]): Promise<void> {
  const peers = ends.map(({ netns, inner }, i) => {
    const args = [inner, 1 + i, ends.length - i, FRAMES, RATE].map(String);
    const script = new URL("numbered_peer.ts", import.meta.url).pathname;
    return lab.start("ip", "netns", "exec", netns, Deno.execPath(), "run", "-A", script, ...args);
  });
  for (const peer of peers) await peer.stdoutLine(/^READY/);
  for (const peer of peers) await peer.write("go");
  for (const peer of peers) {
    const { code, stdout, stderr } = await peer.ended(3 * PATIENCE_MS);
    assert.equal(code, 0, stderr);
    const { foreign: _, seconds, ...rest }: PeerReport = JSON.parse(stdout.split("\n")[1]);
    assert.deepEqual(rest, { sent: FRAMES, next: FRAMES, faults: "", missed: 0 });
    console.log(`  ${FRAMES} frames in ${seconds.toFixed(1)} s, none lost or changed`);
  }
}

Deno.test("a VM forwards between veths and between TAPs, and after a crash does so again", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const taps = [lab.name("t"), lab.name("t")];
  const ports = [`packet:${a.outer}`, `packet:${b.outer}`, ...taps.map((name) => `tap:${name}`)];
  const host = lab.host([...ports.flatMap((port) => ["--port", port]), "-l", "0", ...ROOM]);
  await using _ = { [Symbol.asyncDispose]: () => endQemus(host) }; // before the lab waits for them
  await host.stderrLine(/is ready/);
  const c = await moveTap(lab, taps[0], 1);
  const d = await moveTap(lab, taps[1], 2);

  const first = startVm(lab);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  await untilReachable(lab, c, d);

  await exchangeNumbered(lab, [a, b]);
  assert.equal(await ping(lab, a, b.ip4, 50), 50, "IPv4 pings answered");
  assert.equal(await ping(lab, b, a.ip6, 20, { bytes: 1452 }), 20, "long IPv6 pings answered");
  assert.equal(await ping(lab, d, c.ip4, 20, { bytes: 1472 }), 20, "pings answered between TAPs");
  for (const [from, to] of [[a, b], [c, d]]) {
    for (const options of [[], ["-R"], ["-6"]]) {
      const target = options[0] === "-6" ? to.ip6 : to.ip4;
      const { gigabitsPerSecond } = await iperf(lab, from, to, target, "-t", "2", ...options);
      console.log(
        `  TCP ${from === a ? "veth" : "TAP"} ${options}: ${gigabitsPerSecond.toFixed(3)}`,
      );
    }
  }

  const [pid, ...more] = qemusOf(host);
  assert.deepEqual(more, []);
  Deno.kill(pid, "SIGKILL");
  assert.notEqual((await first.ended()).code, 0);
  await host.stderrLine(/guest 0 died/);
  const second = startVm(lab);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  await untilReachable(lab, d, c);
  await exchangeNumbered(lab, [a, b]);
  await assertNothingBroken(lab, a, b, c, d);

  const { code, stdout, stderr } = await host.stop();
  assert.equal(code, 0, stderr);
  const counted = account(stdout);
  assertBalanced(counted);
  assert(counted.forwarded > 4 * FRAMES);
  await second.stdoutLine(/the host is gone/, BOOT_MS);
  assert.equal(
    (await second.stop("SIGINT")).code,
    130,
    "the VM waits for a host until it is ended",
  );
  assert(await waitUntil(() => qemusOf(host).length === 0), "QEMU is gone");
  assert.deepEqual(lab.leftovers(), []);
  for (const { netns, inner } of [c, d]) assert.equal(await lab.link(inner, netns), undefined);
});
