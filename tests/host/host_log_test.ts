import { deepEqual } from "node:assert/strict";
import { TestHost } from "./test_host.ts";

Deno.test("A host logs what a guest causes under its name, so that one guest cannot hide another", () => {
  using host = new TestHost({ places: { a: { 0: "p0", 1: "p1" }, b: { 0: "p2" } } });
  host.attach("a0", "a1", "b0");
  const names = ["guest 0 of region a", "guest 1 of region a", "guest 0 of region b"];
  for (const name of names) {
    const lines = host.log.filter((line) => line.startsWith(name));
    deepEqual(new Set(lines.map((line) => host.causes.get(line))), new Set([name]));
  }
  host.end();
});
