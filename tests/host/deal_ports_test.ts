import { deepEqual } from "node:assert/strict";
import { dealPorts } from "../../app/host/deal_ports.ts";
import type { MemorySetup } from "../../app/port/open_port.ts";

/** Which lcore gets which of these ports: links are called `link:...`. */
function deal(lcores: number, names: string): number[] {
  const setups = names.split(" ").map((name): MemorySetup => ({
    kind: name.startsWith("link:") ? "link" : "null",
    name,
    frameBytes: 0,
  }));
  return dealPorts(setups, lcores);
}

Deno.test("dealPorts() deals ports to lcores in turn", () => {
  deepEqual(deal(1, "a b c"), [0, 0, 0]);
  deepEqual(deal(2, "a b c d e"), [0, 1, 0, 1, 0]);
  deepEqual(deal(4, "a b"), [0, 1]);
});

Deno.test("dealPorts() gives the second end of a link to the lcore that has the first", () => {
  deepEqual(deal(2, "a link:x link:x b"), [0, 1, 1, 0]);
  deepEqual(deal(3, "link:x link:y a link:y link:x b c"), [0, 1, 2, 1, 0, 0, 1]);
  deepEqual(deal(1, "link:x link:x"), [0, 0]);
});

Deno.test("dealPorts() deals ports of one name that are no links", () => {
  deepEqual(deal(2, "null null null"), [0, 1, 0]);
});
