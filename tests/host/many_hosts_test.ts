import { ok } from "node:assert/strict";
import { closeBursts } from "../../app/ring/burst.ts";
import { TestHost } from "./test_host.ts";

/** Bytes of addresses that this process has, and how many mappings. */
function addresses(): { bytes: number; mappings: number } {
  const [pages] = Deno.readTextFileSync("/proc/self/statm").split(" ");
  const mappings = Deno.readTextFileSync("/proc/self/maps").split("\n").length;
  return { bytes: Number(pages) * 4096, mappings };
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
  const grown = (after.bytes - before.bytes) / 2 ** 20;
  const mappings = after.mappings - before.mappings;
  console.log(`  ${grown.toFixed(1)} MiB and ${mappings} mappings more`);
  ok(grown < 64 && mappings < 100, `${grown} MiB and ${mappings} mappings more`);
});
