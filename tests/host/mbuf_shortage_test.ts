import { deepEqual } from "node:assert/strict";
import { MbufShortage } from "../../app/host/mbuf_shortage.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";

Deno.test("MbufShortage tells once in ten seconds how many frames were dropped, and who holds the mbufs", () => {
  const log: string[] = [];
  const [counters] = newCounters(1);
  const shortage = new MbufShortage([counters], (line) => log.push(line));
  const look = (now: number) =>
    shortage.step(now, { available: 3, total: 100 }, [
      { name: "guest 0", mbufs: 90 },
      { name: "guest 1", mbufs: 0 },
    ]);
  look(0);
  counters[COUNTER.NO_MBUF] = 5;
  look(1);
  counters[COUNTER.HOLD_MAX] = 2;
  look(2);
  look(10_001);
  const held = "of 100, 3 are free, held are 90 by guest 0, 7 by ports and lcores";
  deepEqual(log, [
    `5 frames dropped for want of mbufs: ${held} (--mbufs, --hold-max)`,
    `2 frames dropped for want of mbufs: ${held} (--mbufs, --hold-max)`,
  ]);
});
