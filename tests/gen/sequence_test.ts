import { deepEqual } from "node:assert/strict";
import { Sequence } from "../../app/gen/sequence.ts";

function counted(numbers: Iterable<number>): [received: number, reordered: number, double: number] {
  const sequence = new Sequence();
  for (const number of numbers) sequence.add(number);
  return [sequence.received, sequence.reordered, sequence.duplicated];
}

Deno.test("Sequence counts numbers, those that are late, and those that come again", () => {
  deepEqual(counted([0, 1, 2, 3]), [4, 0, 0]);
  deepEqual(counted([3, 9]), [2, 0, 0], "a gap is no reordering");
  deepEqual(counted([0, 2, 1, 3]), [4, 1, 0]);
  deepEqual(counted([0, 3, 1, 2]), [4, 2, 0], "each behind a higher one (RFC 4737)");
  deepEqual(counted([0, 0, 1, 0, 1]), [2, 0, 3]);
  deepEqual(counted([2, 1, 1, 2]), [2, 1, 2]);
});

Deno.test("Sequence tells late numbers from duplicates within a million, and forgets those before", () => {
  const million = 1 << 20;
  deepEqual(counted([5, million + 4, 6, 6, 5]), [3, 1, 2]);
  deepEqual(counted([5, million + 6, 5]), [2, 0, 1], "too late to tell");
  deepEqual(
    counted([5, 10 * million, 10 * million - 5]),
    [3, 1, 0],
    "nothing is left of a lap before",
  );
  const all = Array.from({ length: 3 * million }, (_, i) => i);
  deepEqual(counted(all), [3 * million, 0, 0]);
});
