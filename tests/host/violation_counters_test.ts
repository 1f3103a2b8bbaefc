import { equal } from "node:assert/strict";
import { ViolationCounters } from "../../app/host/violation_counters.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";

Deno.test("ViolationCounters weigh what is counted from now on, not by a host before", () => {
  const ports = newCounters(2);
  ports[0][COUNTER.FOREIGN] = 5000;
  ports[1][COUNTER.MALFORMED] = 5000;
  ports[1][COUNTER.POSITION] = 5000;
  const violations = new ViolationCounters(ports, 1000);
  equal(violations.look(0), false);
  ports[0][COUNTER.FOREIGN] += 999;
  equal(violations.look(1), false);
  ports[0][COUNTER.FOREIGN] += 1;
  equal(violations.look(2), true);
});

Deno.test("ViolationCounters give no credit for positions that are counted from 0 again", () => {
  const ports = newCounters(1);
  ports[0][COUNTER.POSITION] = 300_000; // by a host before
  const violations = new ViolationCounters(ports, 1000);
  ports[0][COUNTER.POSITION] = 0;
  equal(violations.look(0), false);
  ports[0][COUNTER.POSITION] += 100_000;
  equal(violations.look(100), false);
  ports[0][COUNTER.FOREIGN] += 749;
  equal(violations.look(200), false, "a look adds no more than a quarter");
  ports[0][COUNTER.FOREIGN] += 1;
  equal(violations.look(300), true);
});
