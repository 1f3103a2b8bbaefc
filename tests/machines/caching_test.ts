import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { BOOT_MS, Lab } from "../kit/lab.ts";

Deno.test("A VM finds the region cached, and maps the same memory through /dev/mem", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  const args = [
    "--port",
    "ring:a",
    "--region",
    path,
    "--size",
    "16M",
    "--mbufs",
    "1024",
    "-l",
    "0",
  ];
  const host = await lab.startHost(args);
  const app = fileURLToPath(new URL("caching_guest.ts", import.meta.url));
  const vm = lab.culvert("qemu", ["--run", "--region", path, "--app", app]);
  const { code, stdout, stderr } = await vm.ended(BOOT_MS);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^sysfs: 564c5543, 4711, cached\r?$/m);
  assert.match(stdout, /^physical: 564c5543, 4711, cached\r?$/m);
  assert.doesNotMatch(stdout, /^log: /m, "TCG does not care how memory is mapped");
  const words = new Uint32Array(Deno.readFileSync(path).buffer);
  assert.equal(words.at(-1), 815, "what was stored through /dev/mem");
  await lab.finishHost(host);
});
