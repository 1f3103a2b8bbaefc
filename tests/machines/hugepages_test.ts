import assert from "node:assert/strict";
import { HugeFolder, pageSizes } from "../kit/huge_folder.ts";
import { BOOT_MS, Lab } from "../kit/lab.ts";
import { qemusNaming } from "../kit/processes.ts";

Deno.test("A VM attaches to a region on hugepages", async () => {
  await using lab = await Lab.open();
  await using folder = await HugeFolder.mount(lab);
  const region = `${folder.path}/region`;
  const host = await lab.startHost([
    "--port",
    "ring:a",
    "--region",
    region,
    "--size",
    "64M",
    "-l",
    "0",
  ]);
  const vm = lab.culvert("qemu", ["--run", "--region", region, "--", "-T", "0"]);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  const [qemu] = qemusNaming(`mem-path=${region}`);
  try {
    assert.deepEqual(pageSizes(qemu, region), [2048], "QEMU's mapping");
  } finally {
    await vm.stop("SIGINT");
    for (const pid of qemusNaming(`mem-path=${region}`)) Deno.kill(pid, "SIGKILL");
  }
  await host.stderrLine(/guest 0 (died|detached)/);
  await lab.finishHost(host);
  assert.deepEqual(folder.files, []);
});
