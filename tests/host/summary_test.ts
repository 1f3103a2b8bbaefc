import { deepEqual, equal } from "node:assert/strict";
import { accountOf, LiveTable, summaryText } from "../../app/host/summary.ts";
import { COUNTER, type Counters, DROPS, newCounters } from "../../app/port/counters.ts";
import { FakeClock } from "../lcore/fake_clock.ts";

type Counts = Partial<Record<keyof typeof COUNTER, number>>;

function count(counters: Counters, counts: Counts): void {
  for (const [name, n] of Object.entries(counts)) {
    counters[COUNTER[name as keyof typeof COUNTER]] = n;
  }
}

/** Ports p0, p1 and so on that have counted this. */
function ports(...all: Counts[]) {
  const counters = newCounters(all.length);
  all.forEach((counts, port) => count(counters[port], counts));
  return counters.map((counters, port) => ({ name: `p${port}`, counters }));
}

Deno.test("accountOf() adds up ports, and leaves out reasons for which nothing was dropped", () => {
  const counted = ports({ RX: 10, TX: 3, RING_FULL: 2, PORT_DOWN: 1 }, {
    RX: 5,
    TX: 8,
    RING_FULL: 1,
  });
  deepEqual(accountOf(counted), {
    received: 15,
    originated: 0,
    forwarded: 11,
    dropped: new Map([["guest too slow, its rx ring full", 3], ["port down", 1]]),
  });
});

Deno.test("summaryText() of a quiet host is two lines", () => {
  equal(
    summaryText(ports({}, {}), [{ name: "r", available: 8192, total: 8192 }]),
    "received 0 = forwarded 0 + dropped 0\nmbufs: 8192 of 8192 free",
  );
});

Deno.test("summaryText() of several regions tells the mbufs of each, and of all", () => {
  const regions = [
    { name: "a", available: 90, total: 100 },
    { name: "/dev/shm/b", available: 8192, total: 8192 },
  ];
  equal(
    summaryText(ports({}), regions),
    [
      "received 0 = forwarded 0 + dropped 0",
      "mbufs: 8282 of 8292 free",
      "  region a: 90 of 100",
      "  region /dev/shm/b: 8192 of 8192",
    ].join("\n"),
  );
});

Deno.test("LiveTable.text() has room for long names", () => {
  const counted = ports({}, {}).map((port, i) => ({ ...port, name: i ? "b" : "n".repeat(40) }));
  const [head, first, second] = new LiveTable(counted).text().split("\n");
  equal(new Set([head.length, first.length, second.length]).size, 1);
  equal(first.startsWith(`${"n".repeat(40)} `), true);
});

Deno.test("summaryText() says where every frame went", () => {
  const counted = ports(
    { RX: 100, TX: 60, ORIGINATED: 7, GUEST: 5, MISSED: 3, FOREIGN: 1 },
    { RX: 20, TX: 40, NO_GUEST: 20, MALFORMED: 2, FOREIGN: 1, POSITION: 9, DOWN: 1 },
  );
  equal(
    summaryText(counted, [{ name: "r", available: 8000, total: 8192 }]),
    [
      "received 120 + originated by the guest 7 = forwarded 100 + dropped 27",
      "  dropped 20: no guest attached",
      "  dropped 5: dropped by the guest",
      "  dropped 2: malformed by the guest",
      "  also 3 frames dropped by the kernel before we could take them",
      "  also 2 handles that the guest gave back and did not hold",
      "  also 9 impossible ring positions from the guest",
      "mbufs: 8000 of 8192 free",
    ].join("\n"),
  );
});

for (const { counter, reason } of DROPS) {
  Deno.test(`summaryText() knows the drop "${reason}"`, () => {
    const [port] = ports({ RX: 4 });
    port.counters[counter] = 4;
    equal(
      summaryText([port], [{ name: "r", available: 1, total: 1 }]).split("\n").slice(0, 2).join(
        "\n",
      ),
      `received 4 = forwarded 0 + dropped 4\n  dropped 4: ${reason}`,
    );
  });
}

Deno.test("LiveTable.text() shows totals, and rates since the last time", () => {
  using clock = new FakeClock();
  const counted = ports({ RX: 1000 }, {});
  const table = new LiveTable(counted);
  count(counted[0].counters, { RX: 3_001_000, TX: 0, RING_FULL: 7, NO_GUEST: 3 });
  count(counted[1].counters, { TX: 2_500_000, DOWN: 1 });
  clock.now += 2000;
  equal(
    table.text(),
    [
      "port                     received      rx Mpps    forwarded      tx Mpps      dropped",
      "p0                        3001000        1.500            0        0.000           10",
      "p1 (down)                       0        0.000      2500000        1.250            0",
    ].join("\n"),
  );
  count(counted[0].counters, { RX: 3_501_000 });
  count(counted[1].counters, { DOWN: 0 });
  clock.now += 500;
  equal(
    table.text(),
    [
      "port                     received      rx Mpps    forwarded      tx Mpps      dropped",
      "p0                        3501000        1.000            0        0.000           10",
      "p1                              0        0.000      2500000        0.000            0",
    ].join("\n"),
  );
});
