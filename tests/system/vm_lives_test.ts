import assert from "node:assert/strict";
import { BOOT_MS, Lab, packetPorts } from "../kit/lab.ts";
import {
  assertNothingBroken,
  medianRoundTrip,
  type NetworkEnd,
  untilReachable,
} from "../kit/kernel_traffic.ts";
import { exchangeNumbered, qemuOf, ROOM, startVm } from "../kit/vm.ts";

/** How often a side rang, as its last words tell. */
function rung(text: string): number {
  return Number(/(\d+) doorbells rung/.exec(text)?.[1] ?? 0);
}

/** A host that sleeps although its VM cannot wake it answers most pings after 0.1 s. */
async function assertHostPolls(lab: Lab, from: NetworkEnd, target: string): Promise<void> {
  const median = await medianRoundTrip(lab, from, target, 30);
  assert(median < 30, `median ${median} ms: does the host sleep although nobody wakes it?`);
}

Deno.test("a VM with doorbells is woken and wakes its host, and its death is known at once", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const ports = packetPorts(a, b);
  const host = await lab.startHost([...ports, "-l", "0", ...ROOM]);
  const vm = startVm(lab, ["--doorbell"]);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  assert.match(vm.stdout, /\d+ interrupts/);
  assert.doesNotMatch(vm.stdout, /no interrupts|no doorbell/);
  await untilReachable(lab, a, b, BOOT_MS);
  await lab.inNamespace(a.netns, "ping", "-c", "20", "-i", "0.1", b.ip4); // it sleeps in between
  await exchangeNumbered(lab, [a, b]);

  const killed = performance.now();
  Deno.kill(qemuOf(vm), "SIGKILL");
  await host.stderrLine(/guest 0 died: its connection to the server is closed/);
  const milliseconds = performance.now() - killed;
  assert(milliseconds < 1500, `known after ${milliseconds} ms: by its heartbeat only?`);
  await vm.ended();
  await assertNothingBroken(lab, a, b);
  await lab.finishHost(host);
  assert(rung(host.stdout) > 20, `the host rang ${rung(host.stdout)} times`);
});

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
