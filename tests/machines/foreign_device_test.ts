import assert from "node:assert/strict";
import { BOOT_MS, Lab, packetPorts } from "../kit/lab.ts";
import { untilReachable } from "../kit/kernel_traffic.ts";
import { startVm } from "../kit/vm.ts";

/** A file of a lab's in which another program keeps its frames: Looking Glass begins like this. */
async function foreignMemory(lab: Lab): Promise<string> {
  const path = lab.newPath();
  await Deno.writeTextFile(path, "KVMFR---");
  await Deno.truncate(path, 1 << 20);
  return path;
}

Deno.test("a VM with another program's ivshmem device before ours forwards, and its memory stays as it is", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const foreign = await foreignMemory(lab);
  const before = await Deno.readFile(foreign);
  const host = await lab.startHost([...packetPorts(a, b), "-l", "0"]);
  const vm = startVm(lab, ["--region", foreign, "--region", lab.region]);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  assert.match(vm.stdout, /region is PCI device 0000:00:02\.0/);
  assert.equal((await vm.stop("SIGINT")).code, 130);
  assert.deepEqual(await Deno.readFile(foreign), before);
  await Deno.remove(foreign);
  await lab.finishHost(host);
});

Deno.test("a VM that has only other programs' ivshmem devices says which there are, and takes none", async () => {
  await using lab = await Lab.open();
  const both = [await foreignMemory(lab), await foreignMemory(lab)];
  const vm = startVm(lab, both.flatMap((path) => ["--region", path]));
  assert.match(
    await vm.stdoutLine(/waiting for/, BOOT_MS),
    /ivshmem device auto; there are 0000:00:01\.0 \(1 MiB\), 0000:00:02\.0 \(1 MiB\)/,
  );
  assert.equal((await vm.stop("SIGINT")).code, 130);
});
