import { deepEqual, equal, ok } from "node:assert/strict";
import { RING } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { burstOf } from "../kit/burst_of.ts";
import { dequeued, ends, numbered, SIZE, upFrom } from "./spsc_ends.ts";

/** By how much a producer cannot be ahead of its consumer. */
const IMPOSSIBLE: [what: string, ahead: number][] = [
  ["apart by one more than the size", SIZE + 1],
  ["the wrong way round by one", -1],
  ["the wrong way round by the size", -SIZE],
  ["apart by 2^31", 2 ** 31],
  ["apart by 2^31 and the size", 2 ** 31 + SIZE],
];

for (const own of [0, 5, 2 ** 32 - 3]) {
  for (const [what, ahead] of IMPOSSIBLE) {
    Deno.test(`SpscRing at ${own} counts and ignores a producer's position ${what}`, () => {
      using memory = freshMemory(4096);
      const [producer, consumer] = ends(memory, own);
      producer.enqueueBurst(numbered(2), 2);
      deepEqual(dequeued(consumer, 2), upFrom(0, 2));
      const burst = burstOf(Array(2 * SIZE).fill(0xeeeeeeee));
      memory.u32[RING.PRODUCER] = own + 2 + ahead;
      equal(consumer.dequeueBurst(burst, SIZE), 0);
      equal(consumer.violations, 1);
      equal(consumer.dequeueBulk(burst, SIZE), 0);
      equal(consumer.violations, 2);
      equal(burst.words[0], 0xeeeeeeee, "no slot was read");
      equal(memory.u32[RING.CONSUMER], (own + 2) % 2 ** 32, "our position did not move");
      memory.u32[RING.PRODUCER] = own + 2;
      producer.enqueueBurst(numbered(3), 3);
      deepEqual(dequeued(consumer, SIZE), upFrom(0, 3), "and all is well when it is honest again");
    });

    Deno.test(`SpscRing at ${own} counts and ignores a consumer's position ${what}`, () => {
      using memory = freshMemory(4096);
      const [producer, consumer] = ends(memory, own);
      producer.enqueueBulk(numbered(SIZE), SIZE); // our position is own + SIZE, the peer's own
      memory.u32[RING.CONSUMER] = own + SIZE - ahead;
      const before = memory.u32.slice(RING.SLOTS, RING.SLOTS + 2 * SIZE);
      equal(producer.enqueueBurst(numbered(9, 100), 9), 0);
      equal(producer.violations, 1);
      equal(producer.enqueueBulk(numbered(9, 100), 1), 0);
      equal(producer.violations, 2);
      deepEqual(memory.u32.slice(RING.SLOTS, RING.SLOTS + 2 * SIZE), before, "no slot was written");
      equal(memory.u32[RING.PRODUCER], (own + SIZE) % 2 ** 32, "our position did not move");
      memory.u32[RING.CONSUMER] = own;
      deepEqual(dequeued(consumer, 3), upFrom(0, 3));
      equal(producer.enqueueBurst(numbered(9, 8), 9), 3, "and all is well when it is honest again");
    });
  }
}

Deno.test("SpscRing goes on with what it knows while the peer publishes nonsense", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  producer.enqueueBurst(numbered(4), 4);
  deepEqual(dequeued(consumer, 1), upFrom(0, 1)); // the consumer now knows of three more
  memory.u32[RING.PRODUCER] = 2 ** 31;
  deepEqual(dequeued(consumer, 3), upFrom(1, 3));
  equal(consumer.violations, 0, "it had no need to look");
  deepEqual(dequeued(consumer, 3), upFrom(0, 0));
  equal(consumer.violations, 1);
});

for (const [producer, consumer] of [[0, 1], [SIZE + 1, 0], [2 ** 31, 0], [5, 2 ** 32 - 4]]) {
  Deno.test(`SpscRing made over positions ${producer} and ${consumer} counts that, and holds its size`, () => {
    using memory = freshMemory(4096);
    const burst = Burst.of(32);
    for (const call of ["enqueueBurst", "enqueueBulk", "dequeueBurst", "dequeueBulk"] as const) {
      memory.u32[RING.PRODUCER] = producer;
      memory.u32[RING.CONSUMER] = consumer;
      const ring = new SpscRing(memory, 0, SIZE);
      const moved = ring[call](burst, 32);
      ok(moved >= 0 && moved <= SIZE, `${call} returned ${moved}`);
      ok(ring.violations > 0, call);
      if (call.startsWith("dequeue")) equal(moved, 0, "no slot is believed to be filled");
    }
  });
}
