import { deepEqual } from "node:assert/strict";
import {
  COUNTERS_BYTES,
  FunctionCounters,
  readCounters,
} from "../../app/channel/function_counters.ts";

/** How often each counter is got and counted: more often than there are slots. */
const TIMES = 20;

/** What is read when each of these names was counted so often. */
function countedOf(names: readonly string[], before?: ReadonlyMap<string, number>) {
  const buffer = new SharedArrayBuffer(COUNTERS_BYTES);
  const counters = new FunctionCounters(buffer, before);
  for (let time = 0; time < TIMES; time++) {
    for (const name of names) counters.counter(name).add();
  }
  return Object.fromEntries(readCounters(new Uint8Array(buffer)));
}

Deno.test("FunctionCounters count a name that is cut, at a character, in one slot", () => {
  const long = "x".repeat(55), wide = "y".repeat(54), wider = "v".repeat(52);
  deepEqual(
    countedOf([`${long}abc`, `${wide}ü`, `${wider}😀`, "z"]),
    { [long]: TIMES, [wide]: TIMES, [wider]: TIMES, z: TIMES },
  );
  deepEqual(countedOf([`${long}a`, `${long}b`, long]), { [long]: 3 * TIMES });
  deepEqual(countedOf([`${long}a`], new Map([[long, 40]])), { [long]: 40 + TIMES });
});

Deno.test("FunctionCounters count a name that is no text further on in one slot", () => {
  deepEqual(countedOf(["a\0b", "c\ud800d"]), { a: TIMES, c: TIMES });
});

Deno.test("FunctionCounters count in one slot what there are no slots for", () => {
  const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
  const counted = Object.fromEntries(names.slice(0, 15).map((name) => [name, TIMES]));
  deepEqual(countedOf(names), { ...counted, others: 5 * TIMES });
});
