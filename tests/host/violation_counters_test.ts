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
