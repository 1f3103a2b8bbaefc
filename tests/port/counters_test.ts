import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { COUNTER, droppedBy, DROPS, newCounters } from "../../app/port/counters.ts";

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
  const { RUNT, RX_BURSTS } = COUNTER; // the first drop, and the first behind them
  const reasons = Object.values(COUNTER).filter((at) => at >= RUNT && at < RX_BURSTS);
  deepEqual(DROPS.map(({ counter }) => counter).sort((a, b) => a - b), reasons);
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
