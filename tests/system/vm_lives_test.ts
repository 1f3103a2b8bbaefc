import assert from "node:assert/strict";
import { BOOT_MS, Lab, packetPorts } from "../kit/lab.ts";
import { assertNothingBroken, untilReachable } from "../kit/kernel_traffic.ts";
import { exchangeNumbered, qemuOf, ROOM, startVm } from "../kit/vm.ts";

/** How often a side rang, as its last words tell. */
function rung(text: string): number {
  return Number(/(\d+) doorbells rung/.exec(text)?.[1] ?? 0);
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
