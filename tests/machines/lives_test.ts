import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { BOOT_MS, Lab, packetPorts, pause } from "../kit/lab.ts";
import {
  assertNothingBroken,
  medianRoundTrip,
  type NetworkEnd,
  untilReachable,
} from "../kit/kernel_traffic.ts";
import { startVm } from "../kit/vm.ts";

/** Milliseconds after which a server that nobody needs has surely ended: it looks once a second. */
const SERVER_ENDS_MS = 2500;

/** A host that sleeps although its VM cannot wake it answers a ping when its sleep ends: 0.25 s. */
async function assertHostPolls(lab: Lab, from: NetworkEnd, target: string): Promise<void> {
  const median = await medianRoundTrip(lab, from, target, 30);
  assert(median < 30, `median ${median} ms: does the host sleep although nobody wakes it?`);
}

Deno.test("A VM without an IOMMU says that it has no interrupts, and forwards", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost([
    "--port",
    `packet:${a.outer}`,
    "--port",
    `packet:${b.outer}`,
    "-l",
    "0",
  ]);
  const vm = startVm(lab, ["--doorbell", "--append", "intel_iommu=off"]);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  assert.match(
    vm.stdout,
    /no interrupts, so idle lcores poll: .* no IOMMU group has it: give the VM/,
  );
  await untilReachable(lab, a, b, BOOT_MS);
  await assertHostPolls(lab, a, b.ip4);
  assert.equal((await vm.stop("SIGINT")).code, 130);
  await lab.finishHost(host);
});

Deno.test("a host is killed and started again: its VM without doorbells attaches in the same boot", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const ports = packetPorts(a, b);
  const host = await lab.startHost([...ports, "-l", "0"]);
  const vm = startVm(lab);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  await host.stop("SIGKILL");
  const next = lab.host([...ports, "-l", "0"]);
  await next.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  await assertHostPolls(lab, a, b.ip4);
  assert.equal(
    vm.stdout.match(/region is PCI device/g)?.length,
    2,
    "attached twice, booted once",
  );
  assert.equal((await vm.stop("SIGINT")).code, 130);
  await lab.finishHost(next);
});

for (const kind of ["plain", "doorbell"]) {
  Deno.test(`a VM (${kind}) attaches in the same boot when its host was stopped, its server killed before`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await lab.namespacePair();
    const host = await lab.startHost(packetPorts(a, b));
    const vm = startVm(lab, kind === "plain" ? [] : ["--doorbell"]);
    await host.stderrLine(/guest 0 attached/, BOOT_MS);
    const peer = Peer.connect(socketPath(lab.region))!;
    peer.close();
    Deno.kill(peer.server.pid, "SIGKILL");
    await host.stderrLine(/the server is there again/);
    await host.stop("SIGTERM");
    await pause(SERVER_ENDS_MS);
    const next = await lab.startHost(packetPorts(a, b));
    await next.stderrLine(/guest 0 attached/, BOOT_MS);
    await untilReachable(lab, a, b, BOOT_MS);
    assert.doesNotMatch(vm.stdout, /its host died/);
    await vm.stop("SIGINT");
    await assertNothingBroken(lab, a, b);
    await lab.finishHost(next);
  });
}
