import assert from "node:assert/strict";
import { BOOT_MS, type Ended, Lab, packetPorts, PATIENCE_MS, testFrame } from "../kit/lab.ts";

/** A host between two wires, and a VM without a region, whose guest waits for one. */
export async function startVm(lab: Lab, options: readonly string[] = []) {
  const pair = await lab.namespacePair({ quiet: true });
  const wires = await lab.wires(pair);
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const qmp = lab.newPath();
  const vm = lab.culvert("qemu", [
    ...["--run", "--no-region", "--qmp", qmp, "--hotplug", "1", ...options],
    ...["--", "-T", "0", "--no-mac-updating"],
  ]);
  await vm.stdoutLine(/waiting for ivshmem device auto/, BOOT_MS);
  return { host, wires, qmp, vm };
}

/** Run `culvert plug` or `unplug` on the lab's region to its end. */
export function plug(
  lab: Lab,
  command: "plug" | "unplug",
  qmp: string,
  ...more: string[]
): Promise<Ended> {
  const args = ["--qmp", qmp, "--region", lab.region, ...more];
  return lab.culvert(command, args).ended(3 * PATIENCE_MS);
}

/** Plug a region into a VM that runs, unplug it under traffic, and all of that again. */
export async function plugTwice(options: readonly string[]): Promise<void> {
  await using lab = await Lab.open();
  const { host, wires, qmp, vm } = await startVm(lab, options);

  for (const round of [1, 2]) {
    const plugged = await plug(lab, "plug", qmp);
    assert.equal(plugged.code, 0, plugged.stderr);
    assert.match(plugged.stderr, /is device culvert-[\w.-]+ in culvert-slot1/);
    assert.equal(plugged.stdout, "culvert guest --pci 0000:01:00.0\n");
    await host.stderrLine(/guest 0 attached/, BOOT_MS);
    await vm.stdoutLine(/forwarding \(l2fwd\)/, BOOT_MS);
    await lab.flows(wires);

    const again = await plug(lab, "plug", qmp);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /as the VM has a device culvert-.*: unplug that first/);

    {
      await using _ = wires.a.traffic(testFrame(300, { seed: round }));
      const unplugged = await plug(lab, "unplug", qmp);
      assert.equal(unplugged.code, 0, unplugged.stderr);
      assert.match(unplugged.stderr, /is unplugged/);
    }
    await host.stderrLine(/guest 0 detached/);
    await vm.stdoutLine(/asked to leave/);
    await vm.stdoutLine(/waiting for ivshmem device auto/);
  }

  const none = await plug(lab, "unplug", qmp);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /as the VM has no such device: its regions are none/);
  assert.equal((await vm.stop()).code, 130);
  const { forwarded } = await lab.finishHost(host);
  assert(forwarded > 0);
}
