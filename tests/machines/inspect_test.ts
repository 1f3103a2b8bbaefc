import assert from "node:assert/strict";
import { BOOT_MS, Lab } from "../kit/lab.ts";

Deno.test("culvert inspect decodes the region from inside a VM", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost([
    "--port",
    "ring:a",
    "--port",
    "ring:b",
    "--size",
    "32M",
    "-l",
    "0",
  ]);
  const vm = lab.culvert("qemu", ["--run", "--region", lab.region, "--", "inspect"]);
  const { code, stdout } = await vm.ended(BOOT_MS);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^region at \/sys\/bus\/pci\/devices\/.*\/resource2, 32 MiB\r?$/m);
  assert.match(stdout, /host +READY, alive/);
  assert.match(stdout, /g0\.p1 +port ring:b/);
  await lab.finishHost(host);
});

Deno.test("culvert inspect runs in a VM and sees the region that the VM has", async () => {
  await using lab = await Lab.open();
  const file = lab.newPath();
  await Deno.writeFile(file, new Uint8Array(65536));
  const running = lab.culvert("qemu", ["--run", "--region", file, "--", "inspect", "--json"]);
  const { code, stdout, stderr } = await running.ended(BOOT_MS);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout.slice(stdout.indexOf("{"), stdout.lastIndexOf("}") + 1));
  assert.match(JSON.stringify(report), /\/resource2"/);
  assert.match(JSON.stringify(report), /:65536\b/);
});
