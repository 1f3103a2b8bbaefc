import assert from "node:assert/strict";
import { account, assertBalanced, BOOT_MS, Lab, until } from "../kit/lab.ts";
import { isThere } from "../kit/processes.ts";
import {
  assertNothingBroken,
  iperf,
  moveTap,
  ping,
  untilReachable,
} from "../kit/kernel_traffic.ts";
import { exchangeNumbered, FRAMES, qemuOf, ROOM, startVm } from "../kit/vm.ts";

Deno.test("a VM forwards between veths and between TAPs, and after a crash does so again", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const taps = [lab.name("t"), lab.name("t")];
  const ports = [`packet:${a.outer}`, `packet:${b.outer}`, ...taps.map((name) => `tap:${name}`)];
  const host = await lab.startHost([
    ...ports.flatMap((port) => ["--port", port]),
    "-l",
    "0",
    ...ROOM,
  ]);
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
      const { gigabitsPerSecond } = await iperf(lab, from, to, target, "-t", "1", ...options);
      console.log(
        `  TCP ${from === a ? "veth" : "TAP"} ${options}: ${gigabitsPerSecond.toFixed(3)}`,
      );
    }
  }

  Deno.kill(qemuOf(first), "SIGKILL");
  assert.notEqual((await first.ended()).code, 0);
  await host.stderrLine(/guest 0 died/);
  const second = startVm(lab);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  await untilReachable(lab, d, c);
  await exchangeNumbered(lab, [a, b]);
  await assertNothingBroken(lab, a, b, c, d);

  const qemu = qemuOf(second);
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
  await until(() => !isThere(qemu), "QEMU ends");
  await lab.nothingLeft();
  for (const { netns, inner } of [c, d]) assert.equal(await lab.link(inner, netns), undefined);
});
