import { deepEqual } from "node:assert/strict";
import { Progress } from "../../app/guest/function/progress.ts";
import { Standstill } from "../../app/guest/standstill.ts";

Deno.test("Standstill tells once which function has not returned for a second, and that it goes on", () => {
  const log: string[] = [];
  const standstill = new Standstill(
    (lcore, i) => log.push(`lcore ${lcore}, function ${i}`),
    (lcore) => log.push(`lcore ${lcore} goes on`),
  );
  const lcore = new Progress();
  lcore.enter(1);
  for (const now of [0, 100, 900, 1000, 1100, 5000]) standstill.look([lcore], now);
  deepEqual(log, ["lcore 0, function 1"]);
  lcore.enter(0);
  for (const now of [5100, 5900]) standstill.look([lcore], now);
  deepEqual(log.slice(1), ["lcore 0 goes on"]);
});

Deno.test("Standstill looks at timers, too, and tells those that are often called from one that stays", () => {
  const log: string[] = [];
  const standstill = new Standstill((lcore, i) => log.push(`lcore ${lcore}, function ${i}`));
  const lcore = new Progress();
  for (let now = 0; now < 5000; now += 250) {
    lcore.call(0);
    standstill.look([lcore], now);
  }
  deepEqual(log, []);
  for (const now of [5000, 6000]) standstill.look([lcore], now);
  deepEqual(log, ["lcore 0, function 0"]);
});

Deno.test("Standstill says nothing of lcores that are idle, or busy", () => {
  const log: string[] = [];
  const standstill = new Standstill((lcore) => log.push(`lcore ${lcore}`));
  const [idle, busy] = [new Progress(), new Progress()];
  for (let now = 0; now < 5000; now += 100) {
    busy.enter(0);
    standstill.look([idle, busy], now);
  }
  deepEqual(log, []);
});
