import { deepEqual, equal } from "node:assert/strict";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Burst } from "../../app/ring/burst.ts";

for (const Ring of [SpscRing, MpmcRing]) {
  for (const elementBytes of [4, 8, 16] as const) {
    Deno.test(`${Ring.name}.enqueue() writes all words of an element of ${elementBytes} bytes, and no others`, () => {
      using memory = freshMemory(4096);
      const ring = new Ring(memory, 0, 4, { elementBytes });
      ring.words.fill(0xee);
      equal(ring.enqueue(1, 2, 3, 4), true);
      const words = elementBytes / 4;
      deepEqual([...ring.words.subarray(0, words)], [1, 2, 3, 4].slice(0, words));
      equal(ring.words.subarray(words).every((word) => word === 0xee), true);

      equal(ring.enqueue(5), true);
      const elements = Burst.of(2, elementBytes);
      equal(ring.dequeueBulk(elements, 2), 2);
      deepEqual([...elements.words.subarray(words)], [5, 0, 0, 0].slice(0, words));
    });

    Deno.test(`${Ring.name}.dequeue() gives the first word of each element of ${elementBytes} bytes`, () => {
      using memory = freshMemory(4096);
      const ring = new Ring(memory, 0, 4, { elementBytes });
      for (const word of [7, 0xffffffff, 9]) equal(ring.enqueue(word, 1, 1, 1), true);
      deepEqual([0, 0, 0, 0].map(() => ring.dequeue()), [7, 0xffffffff, 9, -1]);
    });
  }
}
