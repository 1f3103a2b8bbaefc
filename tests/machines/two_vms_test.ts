import assert from "node:assert/strict";
import { BOOT_MS, Lab, type Running } from "../kit/lab.ts";
import { assertNothingBroken, ping, untilReachable } from "../kit/kernel_traffic.ts";
import { connection, example, peerServer } from "../kit/example_guest.ts";
import { exchangeNumbered, ROOM, startVm } from "../kit/vm.ts";

/** Wait until all these guests are attached, in whatever order. */
async function attached(host: Running, guests: string[]): Promise<void> {
  for (const guest of guests) {
    const line = new RegExp(`${guest} attached`);
    if (!line.test(host.stderr)) await host.stderrLine(line, BOOT_MS);
  }
}

for (
  const [where, regions] of [
    ["in one region, by descriptors", 1],
    ["in a region each, by copies", 2],
  ] as const
) {
  Deno.test(`frames go through two VMs, one behind the other, ${where}`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await lab.namespacePair();
    const second = regions === 1 ? lab.region : lab.newRegion();
    const place = regions === 1 ? ["--guest", "1"] : ["--region", second];
    const host = await lab.startHost([
      ...["-l", "0", ...ROOM, "--region", lab.region],
      ...["--port", `packet:${a.outer}`, "--port", "link:ab"],
      ...[...place, "--port", "link:ab", "--port", `packet:${b.outer}`],
    ]);
    const vms = regions === 1
      ? [startVm(lab, ["--doorbell", "--guest", "0", "--guest", "1"])]
      : [startVm(lab, ["--doorbell"]), startVm(lab, ["--doorbell", "--region", second])];
    const names = regions === 1
      ? ["guest 0", "guest 1"]
      : [lab.region, second].map((region) => `guest 0 of region ${region}`);
    await attached(host, names);
    await untilReachable(lab, a, b, BOOT_MS);
    assert.equal(await ping(lab, a, b.ip4, 20), 20, "pings answered through both");
    assert.equal(await ping(lab, b, a.ip6, 20, { bytes: 1452 }), 20, "long ones too");
    await exchangeNumbered(lab, [a, b], { frames: 3000, rate: 1000 });
    await assertNothingBroken(lab, a, b);
    for (const vm of vms) assert.equal((await vm.stop("SIGINT")).code, 130);
    await lab.finishHost(host);
  });
}

Deno.test("two VMs in a row run a function each: NAPT, and behind it an access list", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const outer = "203.0.113.1";
  await lab.run("ip", "-n", a.netns, "address", "add", `${outer}/32`, "dev", "lo");
  await lab.run("ip", "-n", b.netns, "route", "add", outer, "dev", b.inner);
  const host = await lab.startHost([
    ...["-l", "0", ...ROOM, "--port", `packet:${a.outer}`, "--port", "link:ab"],
    ...["--guest", "1", "--port", "link:ab", "--port", `packet:${b.outer}`],
  ]);
  const rules = `deny tcp from ${outer} to any:8001, allow ip from any to any`;
  const functions = [example("napt", { address: outer }), example("acl", { rules })];
  const vms = functions.map((args, n) => startVm(lab, ["--doorbell", "--guest", `${n}`], args));
  await attached(host, ["guest 0", "guest 1"]);
  await untilReachable(lab, a, b, BOOT_MS);
  await peerServer(lab, b, 8000, 8001);
  const seen = await connection(lab, a, b.ip4, 8000);
  assert.match(seen, /^203\.0\.113\.1:\d+$/, "the server sees the outer address");
  assert.equal(await connection(lab, a, b.ip4, 8001), "", "the second VM denies this port");
  await assertNothingBroken(lab, a, b);
  for (const vm of vms) assert.equal((await vm.stop("SIGINT")).code, 130);
  const { dropped } = await lab.finishHost(host);
  assert((dropped.get("dropped by the guest") ?? 0) > 0);
});
