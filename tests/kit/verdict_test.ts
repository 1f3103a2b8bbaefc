import { deepEqual } from "node:assert/strict";
import { countsVerdict, promisesVerdict } from "./verdict.ts";

Deno.test("countsVerdict() is GOOD only if all of each kind are, and there are some", () => {
  const [held, noticed] = ["programs found nothing wrong", "changes were noticed"];
  deepEqual(countsVerdict([3, 3, held], [2, 2, noticed]), {
    isGood: true,
    line: "GOOD: 3 of 3 programs found nothing wrong, 2 of 2 changes were noticed",
  });
  deepEqual(countsVerdict([3, 3, held], [1, 2, noticed]), {
    isGood: false,
    line: "BAD: 3 of 3 programs found nothing wrong, 1 of 2 changes were noticed",
  });
  deepEqual(countsVerdict([2, 3, held], [2, 2, noticed]).isGood, false);
  deepEqual(countsVerdict([0, 0, held]), {
    isGood: false,
    line: "BAD: 0 of 0 programs found nothing wrong",
  });
});

Deno.test("promisesVerdict() is GOOD if none was broken, and else says how to repeat it", () => {
  deepEqual(promisesVerdict(0, 7), { isGood: true, line: "GOOD: every promise was kept (seed 7)" });
  deepEqual(
    promisesVerdict(0, 7, "3 faults, ").line,
    "GOOD: 3 faults, every promise was kept (seed 7)",
  );
  deepEqual(promisesVerdict(2, 7), {
    isGood: false,
    line: "BAD: 2 promises were broken; repeat with --seed 7",
  });
});
