import { deepEqual } from "node:assert/strict";
import type { RegionOptions } from "../../app/host/host_options.ts";
import { namesFor } from "../../app/host/names.ts";

/** Regions a, b and so on with so many guests. */
function regions(...guests: number[]): RegionOptions[] {
  return guests.map((count, i) => ({
    name: "abc"[i],
    size: 0,
    mbufs: 0,
    ringSize: 0,
    guests: Array.from({ length: count }, (_, number) => ({ number, ports: [] })),
  }));
}

for (
  const [what, hosted, guest, port] of [
    ["one guest", regions(1), "guest 1", "tap0"],
    ["several guests", regions(2), "guest 1", "tap0 (guest 1)"],
    ["several regions", regions(1, 1), "guest 1 of region b", "tap0 (b, guest 1)"],
  ] as const
) {
  Deno.test(`namesFor() tells guests and ports of ${what} apart, and says no more than it takes`, () => {
    const names = namesFor(hosted);
    deepEqual([names.guest("b", 1), names.port("tap0", "b", 1)], [guest, port]);
  });
}
