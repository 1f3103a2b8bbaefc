import { throws } from "node:assert/strict";
import { checkRingSize } from "../../app/ring/ring_size.ts";

Deno.test("checkRingSize() takes powers of two from 2 to 2^24", () => {
  for (let bits = 1; bits <= 24; bits++) checkRingSize(2 ** bits);
});

for (const size of [0, 1, 3, 6, 2 ** 24 - 1, 2 ** 25, 2 ** 32 + 2, -2, 2.5, NaN, Infinity]) {
  Deno.test(`checkRingSize() refuses ${size}`, () => {
    throws(() => checkRingSize(size), {
      name: "CulvertError",
      message: `Cannot use a ring of ${size} slots: a power of two from 2 to 16777216 is wanted`,
    });
  });
}
