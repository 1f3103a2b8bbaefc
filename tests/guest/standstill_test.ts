import { deepEqual } from "node:assert/strict";
import { Progress } from "../../app/guest/function/progress.ts";
import { Standstill } from "../../app/guest/standstill.ts";

const FUNCTIONS = ["acl", "nat"].map((name) => ({ name, options: {} }));

Deno.test("Standstill tells once which function has not returned for a second, and that it goes on", () => {
  const log: string[] = [];
  const standstill = new Standstill((line) => log.push(line));
  const lcore = new Progress();
  lcore.enter(1);
  for (const now of [0, 100, 900, 1000, 1100, 5000]) standstill.look([lcore], FUNCTIONS, now);
  deepEqual(log, ["function nat has not returned for 1 s: lcore 0 stands still"]);
  lcore.enter(0);
  for (const now of [5100, 5900]) standstill.look([lcore], FUNCTIONS, now);
  deepEqual(log.slice(1), ["lcore 0 goes on"]);
});

Deno.test("Standstill says nothing of lcores that are idle, or busy", () => {
  const log: string[] = [];
  const standstill = new Standstill((line) => log.push(line));
  const [idle, busy] = [new Progress(), new Progress()];
  for (let now = 0; now < 5000; now += 100) {
    busy.enter(0);
    standstill.look([idle, busy], FUNCTIONS, now);
  }
  deepEqual(log, []);
});
