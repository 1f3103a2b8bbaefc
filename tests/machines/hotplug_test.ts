import assert from "node:assert/strict";
import { BOOT_MS, Lab } from "../kit/lab.ts";
import { plug, plugTwice, startVm } from "../system/hotplug_steps.ts";

/** What OVMF and other machines than q35 do: unplugging takes 5 s there. */
const PCI_EXPRESS = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"];

Deno.test("a region is plugged into a VM that runs, unplugged, plugged again (PCI Express)", () =>
  plugTwice(PCI_EXPRESS.map((word) => `--qemu-arg=${word}`)));

Deno.test("a region is plugged with a doorbell, and stays as long as the VM runs", async () => {
  await using lab = await Lab.open();
  const { host, wires, qmp, vm } = await startVm(lab, ["--doorbell"]);

  const plugged = await plug(lab, "plug", qmp, "--doorbell");
  assert.equal(plugged.code, 0, plugged.stderr);
  await vm.stdoutLine(
    /region is PCI device 0000:01:00.0, BAR2, 64 MiB, [1-9]\d* interrupts/,
    BOOT_MS,
  );
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  assert.doesNotMatch(await vm.stdoutLine(/forwarding \(l2fwd\)/, BOOT_MS), /no doorbell/);
  await lab.flows(wires);

  const refused = await plug(lab, "unplug", qmp);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /as it is an ivshmem-doorbell: QEMU mostly dies of that/);
  await lab.flows(wires);

  assert.equal((await vm.stop()).code, 130);
  await host.stderrLine(/guest 0 (died|detached)/);
  await lab.finishHost(host);
});
