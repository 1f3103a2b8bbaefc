import { deepEqual, equal } from "node:assert/strict";
import { lcoreInit } from "../../app/host/lcore_init.ts";
import { ManyLab } from "./many_lab.ts";

const OPTIONS = { idle: "poll", burst: 32 } as const;

/** What each of `lcores` is sent, in short: its regions by number, guests, and ports by guest. */
function told(lab: ManyLab, lcores: number) {
  return Array.from({ length: lcores }, (_, lcore) => {
    const { regions, guests, lanes } = lcoreInit(lcore, lab.regions, OPTIONS);
    return {
      regions: regions.map((region) => lab.regions.findIndex((r) => r.forLcores === region)),
      guests: guests.map(({ region, number, keeper }) => [region, number, keeper]),
      lanes: lanes.map(({ guest, setup }) => `${guest} ${setup.name}`),
    };
  });
}

Deno.test("lcoreInit() sends one lcore everything", () => {
  using lab = new ManyLab({ a: { 0: "p link:x", 3: "link:x" }, b: { 0: "q" } });
  deepEqual(told(lab, 1), [{
    regions: [0, 1],
    guests: [[0, 0, 0], [0, 3, 0], [1, 0, 0]],
    lanes: ["0 p", "0 link:x", "1 link:x", "2 q"],
  }]);
  deepEqual(lab.regions.map(({ forLcores }) => forLcores.several), [false, false]);
});

Deno.test("lcoreInit() sends several lcores their ports, and only the guests and regions of those", () => {
  using lab = new ManyLab({ a: { 0: "p q" }, b: { 1: "r" }, c: { 2: "s" } }, { lcores: 2 });
  deepEqual(told(lab, 2), [
    { regions: [0, 1], guests: [[0, 0, 0], [1, 1, 0]], lanes: ["0 p", "1 r"] },
    { regions: [0, 2], guests: [[0, 0, 1], [1, 2, 0]], lanes: ["0 q", "1 s"] },
  ]);
  deepEqual(lab.regions.map(({ forLcores }) => forLcores.several), [true, false, false]);
});

Deno.test("lcoreInit() sends both ends of a link to one lcore", () => {
  using lab = new ManyLab({ a: { 0: "p link:x" }, b: { 0: "link:x q" } }, { lcores: 2 });
  deepEqual(told(lab, 2).map(({ lanes }) => lanes), [["0 p", "1 q"], ["0 link:x", "1 link:x"]]);
});

Deno.test("lcoreInit() sends the counters that the main thread reads", () => {
  using lab = new ManyLab({ a: { 0: "p" } });
  const init = lcoreInit(0, lab.regions, OPTIONS);
  init.lanes[0].counters[0] = 7;
  equal(lab.counters[0][0], 7);
  equal(init.lanes[0].counters, lab.regions[0].guests[0].ports[0].counters);
});
