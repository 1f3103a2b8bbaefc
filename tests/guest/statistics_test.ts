import { deepEqual, equal } from "node:assert/strict";
import { COUNTERS_BYTES, FunctionCounters } from "../../app/channel/function_counters.ts";
import { Statistics } from "../../app/guest/statistics.ts";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { FakeClock } from "../lcore/fake_clock.ts";

function port(number: number) {
  return { number, counters: new Float64Array(new SharedArrayBuffer(GUEST_COUNTER.COUNT * 8)) };
}

Deno.test("Statistics.table() is l2fwd's, with rates since the last time", () => {
  using clock = new FakeClock();
  const ports = [port(0), port(2)];
  ports[0].counters.set([5, 500, 1000, 64_000, 0]);
  const statistics = new Statistics(ports);
  ports[0].counters.set([7, 700, 4_001_000, 256_064_000, 1, 0, 2]);
  ports[1].counters.set([4_000_000, 256_000_000, 100, 6_400, 1]);
  clock.now += 2000;
  equal(
    statistics.table(),
    `
Port statistics ====================================
Statistics for port 0 ------------------------------
Packets sent:                    4001000
Packets received:                      7
Packets dropped:                       3
Sending at:                   2.000 Mpps 1.408 Gb/s
Statistics for port 2 ------------------------------
Packets sent:                        100
Packets received:                4000000
Packets dropped:                       1
Sending at:                   0.000 Mpps 0.000 Gb/s
Aggregate statistics ===============================
Total packets sent:              4001100
Total packets received:          4000007
Total packets dropped:                 4
Sending at:                   2.000 Mpps 1.408 Gb/s
====================================================`,
  );
});

Deno.test("Statistics.table() begins a new period each time, and adds up the ports' rates", () => {
  using clock = new FakeClock();
  const ports = [port(0), port(1)];
  const statistics = new Statistics(ports);
  const rates = () => statistics.table().split("\n").filter((line) => line.startsWith("Sending"));
  const sending = (mpps: string, gbps: string) =>
    `Sending at:              ${mpps} Mpps ${gbps} Gb/s`;
  const wait = (milliseconds: number, frames: number[]) => {
    clock.now += milliseconds;
    frames.forEach((n, i) => {
      ports[i].counters[GUEST_COUNTER.TX] += n;
      ports[i].counters[GUEST_COUNTER.TX_BYTES] += n * 1000;
    });
  };
  wait(1000, [1e6, 3e6]);
  equal(
    rates().join("\n"),
    [
      sending("     1.000", "8.192"),
      sending("     3.000", "24.576"),
      sending("     4.000", "32.768"),
    ]
      .join("\n"),
  );
  wait(500, [0, 1e6]);
  equal(
    rates().join("\n"),
    [
      sending("     0.000", "0.000"),
      sending("     2.000", "16.384"),
      sending("     2.000", "16.384"),
    ]
      .join("\n"),
  );
});

/** What the functions of two lcores have counted: 1 and 2 SYNs. */
function countedByTwo(): SharedArrayBuffer[] {
  return [1, 2].map((number) => {
    const buffer = new SharedArrayBuffer(COUNTERS_BYTES);
    const counters = new FunctionCounters(buffer);
    for (let k = 0; k < number; k++) counters.counter("SYNs").add();
    return buffer;
  });
}

Deno.test("Statistics.summary has what functions count, of all lcores together", () => {
  const lcores = countedByTwo();
  equal(
    new Statistics([port(0)], () => lcores).summary,
    "received 0 frames, sent 0, dropped 0; SYNs: 3",
  );
});

Deno.test("Statistics.table() ends with what functions count, and frames that they failed on", () => {
  const lcores = countedByTwo();
  const own = port(0);
  own.counters[GUEST_COUNTER.FAILED] = 5;
  equal(
    new Statistics([own], () => lcores).table().split("\n").slice(-4).join("\n"),
    `Counted by functions -------------------------------
SYNs:                                  3
Packets failed:                        5
====================================================`,
  );
});

Deno.test("Statistics.table() has the queues of a port together", () => {
  using clock = new FakeClock();
  const ports = [port(0), port(0), port(1)];
  const statistics = new Statistics(ports);
  ports[0].counters.set([1, 100, 10, 1000]);
  ports[1].counters.set([2, 200, 30, 3000, 4]);
  clock.now += 1000;
  const numbers = statistics.table().split("\n").filter((line) => /port|sent:|dropped:/.test(line));
  deepEqual(numbers.map((line) => line.replace(/ -+$| +/g, " ").trim()).slice(0, 5), [
    "Statistics for port 0",
    "Packets sent: 40",
    "Packets dropped: 4",
    "Statistics for port 1",
    "Packets sent: 0",
  ]);
});
