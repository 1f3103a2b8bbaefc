import { deepEqual, equal } from "node:assert/strict";
import { TestHost } from "./test_host.ts";

/** What each lcore is sent, in short: its regions by number, guests, and ports by guest. */
function sent({ threads, host }: TestHost) {
  return threads.map(({ handle }) => {
    const { regions, guests, lanes } = handle!;
    return {
      regions: regions.map((region) => host.regions.findIndex((r) => r.handle === region)),
      guests: guests.map(({ region, number, follower }) => [region, number, follower]),
      lanes: lanes.map(({ guest, setup }) => `${guest} ${setup.name}`),
    };
  });
}

Deno.test("Host sends one lcore everything", () => {
  using lab = new TestHost({ places: { a: { 0: "p link:x", 3: "link:x" }, b: { 0: "q" } } });
  deepEqual(sent(lab), [{
    regions: [0, 1],
    guests: [[0, 0, 0], [0, 3, 0], [1, 0, 0]],
    lanes: ["0 p", "0 link:x", "1 link:x", "2 q"],
  }]);
  deepEqual(lab.host.regions.map(({ handle }) => handle.shared), [false, false]);
});

Deno.test("Host sends each of several lcores its ports, and only the guests and regions of those", () => {
  const places = { a: { 0: "p q" }, b: { 1: "r" }, c: { 2: "s" } };
  using lab = new TestHost({ places, lcores: 2 });
  deepEqual(sent(lab), [
    { regions: [0, 1], guests: [[0, 0, 0], [1, 1, 0]], lanes: ["0 p", "1 r"] },
    { regions: [0, 2], guests: [[0, 0, 1], [1, 2, 0]], lanes: ["0 q", "1 s"] },
  ]);
  deepEqual(lab.host.regions.map(({ handle }) => handle.shared), [true, false, false]);
});

Deno.test("Host sends both ends of a link to one lcore", () => {
  using lab = new TestHost({ places: { a: { 0: "p link:x" }, b: { 0: "link:x q" } }, lcores: 2 });
  deepEqual(sent(lab).map(({ lanes }) => lanes), [["0 p", "1 q"], ["0 link:x", "1 link:x"]]);
});

Deno.test("Host makes no lcores that no port is left for", () => {
  using lab = new TestHost({ places: { a: { 0: "p link:x link:x" } }, lcores: 4 });
  equal(lab.threads.length, 2);
});

Deno.test("Host sends lcores the counters that the main thread reads", () => {
  using lab = new TestHost({ places: { a: { 0: "p" } } });
  lab.threads[0].handle!.lanes[0].counters[0] = 7;
  equal(lab.counters[0][0], 7);
});
