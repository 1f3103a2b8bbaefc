import { ok } from "node:assert/strict";
import { readKernelFile } from "../../app/linux/kernel_file.ts";
import { closeBursts } from "../../app/ring/burst.ts";
import { TestHost } from "./test_host.ts";

/** What this process has of addresses: MiB, and mappings. */
function addresses(): { size: number; mappings: number } {
  const [pages] = readKernelFile("/proc/self/statm").split(" ");
  return {
    size: Number(pages) / 256,
    mappings: readKernelFile("/proc/self/maps").split("\n").length,
  };
}

/** A host that forwards a little, and ends. */
function live(): void {
  const host = new TestHost({
    places: { a: { 0: "p link:x", 1: "link:x ring" } },
    bytes: 4 << 20,
    debugPool: true,
    captured: true,
  });
  host.attach("a0", "a1");
  host.turns(5, () => host.guests.a0.forward(0, 1));
  host.end();
  host[Symbol.dispose]();
  closeBursts();
}

Deno.test("300 hosts one after another, in one thread, take no more addresses than some", () => {
  for (let i = 0; i < 30; i++) live();
  const before = addresses();
  for (let i = 0; i < 300; i++) live();
  const after = addresses();
  const [size, mappings] = [after.size - before.size, after.mappings - before.mappings];
  console.log(`  ${size.toFixed(1)} MiB and ${mappings} mappings more`);
  ok(size < 64 && mappings < 100, `${size} MiB and ${mappings} mappings more`);
});
