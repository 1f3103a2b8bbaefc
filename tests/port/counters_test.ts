import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { COUNTER, droppedBy, DROPS, newCounters } from "../../app/port/counters.ts";

/** Counters that count no dropped frames of ours. */
const NO_DROPS = [
  "RX",
  "RX_BYTES",
  "ORIGINATED",
  "TX",
  "TX_BYTES",
  "MISSED",
  "DOWN",
  "FOREIGN",
  "POSITION",
  "NOTIFIED",
  "BEYOND",
  "ANOTHERS",
  "OUTSIDE",
  "SHORT",
  "LONG",
  "FALSE_ALARM",
  "RX_BURSTS",
  "TX_BURSTS",
  "BURST",
  "CORE",
  "LCORE_NS",
  "IDLE_NS",
  "SHOWN_MS",
  "COUNT",
  "ROUNDS",
];

Deno.test("COUNTER gives each thing a number of its own, below COUNT", () => {
  const numbers = Object.values(COUNTER);
  equal(new Set(numbers).size, numbers.length);
  for (const number of numbers) ok(number <= COUNTER.COUNT);
});

Deno.test("COUNTER has bytes right behind frames, as ports count them", () => {
  equal(COUNTER.RX_BYTES, COUNTER.RX + 1);
  equal(COUNTER.TX_BYTES, COUNTER.TX + 1);
});

Deno.test("DROPS names each reason once, and every counter that is one", () => {
  const reasons = Object.entries(COUNTER).filter(([name]) => !NO_DROPS.includes(name));
  deepEqual(
    DROPS.map(({ counter }) => counter).sort((a, b) => a - b),
    reasons.map(([, counter]) => counter),
  );
  equal(new Set(DROPS.map(({ reason }) => reason)).size, DROPS.length);
});

Deno.test("droppedBy() adds up the drops, and nothing else", () => {
  const [counters] = newCounters(1);
  for (let i = 0; i < COUNTER.COUNT; i++) counters[i] = 1000;
  DROPS.forEach(({ counter }, i) => counters[counter] = 2 ** i);
  equal(droppedBy(counters), 2 ** DROPS.length - 1);
});

Deno.test("newCounters() makes zeros in memory that threads share, apart for each port", () => {
  const counters = newCounters(3);
  equal(counters.length, 3);
  for (const of of counters) {
    equal(of.length, COUNTER.COUNT);
    ok(of.buffer instanceof SharedArrayBuffer);
    ok(of.every((n) => n === 0));
  }
  counters[1].fill(7);
  ok(counters[0].every((n) => n === 0) && counters[2].every((n) => n === 0));
  notEqual(counters[0].byteOffset, counters[1].byteOffset);
});
