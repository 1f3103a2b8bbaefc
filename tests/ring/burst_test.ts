import { equal, ok, throws } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { burstOf } from "../kit/burst_of.ts";

Deno.test("Burst.of() makes bursts of zeros that share no word", () => {
  const lengths = [1, 64, 16, 15, 2 ** 16, 17, 2 ** 16 + 5, 64];
  const bursts = lengths.map((length) => Burst.of(length, 4));
  for (const { words } of bursts) ok(words.every((word) => word === 0));
  bursts.forEach(({ words }, i) => words.fill(i + 1));
  bursts.forEach(({ words, capacity }, i) => {
    equal(capacity, lengths[i]);
    equal(words.length, lengths[i]);
    ok(words.every((word) => word === i + 1));
  });
});

for (const elementBytes of [4, 8, 16] as const) {
  Deno.test(`Burst.of() has as many words as its elements of ${elementBytes} bytes need`, () => {
    const burst = Burst.of(10, elementBytes);
    equal(burst.wordsPerElement, elementBytes / 4);
    equal(burst.words.length, 10 * elementBytes / 4);
    equal(burst.count, 0);
    equal(burst.descriptors.length, elementBytes === 8 ? 10 : 0);
    equal(burst.descriptorWords.length, elementBytes === 8 ? 20 : 0);
  });
}

Deno.test("Burst.of() refuses what is no number of elements, and sizes that no element has", () => {
  for (const capacity of [0, -1, 1.5, NaN]) {
    throws(() => Burst.of(capacity), /^CulvertError: Cannot make a burst of .* elements/);
  }
  throws(() => Burst.of(8, 12 as 16), /4, 8 or 16 are possible/);
});

const CALLS = ["enqueueBulk", "enqueueBurst", "dequeueBulk", "dequeueBurst"] as const;

for (const Ring of [SpscRing, MpmcRing]) {
  Deno.test(`${Ring.name} refuses elements that a burst does not have, and moves nothing`, () => {
    using memory = freshMemory(8192);
    const ring = new Ring(memory, 0, 64, { elementBytes: 8 });
    ring.enqueueBulk(burstOf(Array(64).fill(9)), 32);
    const [burst, neighbour] = [Burst.of(8), Burst.of(8)];
    for (const call of CALLS) {
      for (const [count, at] of [[9, 0], [1, 8], [8, 1], [2 ** 31, 0], [1, -1], [1, 2 ** 31]]) {
        throws(() => ring[call](burst, count, at), {
          name: "CulvertError",
          message: `Cannot use elements ${at} to ${at + count - 1}, of 8 bytes, of a burst as it ` +
            `has 8, of 8 bytes: make it by Burst.of(${at + count}, 8)`,
        });
      }
      throws(() => ring[call](Burst.of(8, 4), 1), /^CulvertError: .* of 8 bytes, .* of 4 bytes/);
      equal(ring.count, 32, call);
    }
    for (const { words } of [burst, neighbour]) ok(words.every((word) => word === 0));
  });
}
