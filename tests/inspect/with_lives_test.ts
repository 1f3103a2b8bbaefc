import { deepEqual, equal } from "node:assert/strict";
import { decodeRegion, withLives } from "../../app/inspect/decode.ts";
import type { RegionReport } from "../../app/inspect/region_report.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { SampleRegion } from "./sample_region.ts";

Deno.test("withLives() sees whose heartbeat has moved", () => {
  using sample = new SampleRegion();
  const first = decodeRegion(sample.memory);
  sample.region.beat();
  const second = withLives(first, decodeRegion(sample.memory));
  equal(second.host?.isAlive, true);
  deepEqual(second.guests.map(({ isAlive }) => isAlive), [false]);
  sample.guest.beat();
  const third = withLives(second, decodeRegion(sample.memory));
  equal(third.host?.isAlive, false);
  deepEqual(third.guests.map(({ isAlive }) => isAlive), [true]);
});

Deno.test("withLives() sees which lcores come round their loops, and says nothing of those unknown", () => {
  using sample = new SampleRegion();
  const lcores = (before: RegionReport) => {
    const now = withLives(before, decodeRegion(sample.memory));
    const [{ hostSleep, guestSleep }] = now.channels;
    return [hostSleep.isTurning, guestSleep.isTurning];
  };
  const first = decodeRegion(sample.memory);
  deepEqual(lcores(first), [null, null]);
  sample.count(COUNTER.ROUNDS, 7);
  sample.channel.tellRounds(3);
  const second = decodeRegion(sample.memory);
  deepEqual(lcores(first), [true, true]);
  deepEqual(lcores(second), [false, false]);
  sample.channel.tellRounds(4);
  deepEqual(lcores(second), [false, true]);
});
