import { deepEqual, equal, throws } from "node:assert/strict";
import { RING } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { wordsOf } from "../kit/burst_of.ts";
import { dequeued, ends, numbered, SIZE, upFrom } from "./spsc_ends.ts";

Deno.test("SpscRing is empty at first", () => {
  using memory = freshMemory(4096);
  const [, consumer] = ends(memory);
  equal(consumer.count, 0);
  equal(consumer.dequeueBurst(Burst.of(1), 1), 0);
  equal(consumer.dequeueBulk(Burst.of(1), 1), 0);
});

Deno.test("SpscRing.dequeueBurst() returns first what was enqueued first", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  equal(producer.enqueueBurst(numbered(3), 3), 3);
  equal(producer.enqueueBurst(numbered(2, 3), 2), 2);
  deepEqual(dequeued(consumer, 4), upFrom(0, 4));
  deepEqual(dequeued(consumer, 4), upFrom(4, 1));
});

Deno.test("SpscRing.enqueueBurst() takes only what fits", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  equal(producer.enqueueBurst(numbered(9), 9), SIZE);
  equal(producer.enqueueBurst(numbered(1), 1), 0);
  equal(producer.count, SIZE);
  deepEqual(dequeued(consumer, 3), upFrom(0, 3));
  equal(producer.enqueueBurst(numbered(9, 8), 9), 3);
  deepEqual(dequeued(consumer, 100), upFrom(3, 8));
});

Deno.test("SpscRing.enqueueBulk() takes all or none", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  equal(producer.enqueueBulk(numbered(9), 9), 0);
  equal(producer.count, 0);
  equal(producer.enqueueBulk(numbered(8), 8), 8);
  equal(producer.enqueueBulk(numbered(1), 1), 0);
  deepEqual(dequeued(consumer, 2), upFrom(0, 2));
  equal(producer.enqueueBulk(numbered(3, 8), 3), 0);
  equal(producer.enqueueBulk(numbered(2, 8), 2), 2);
  deepEqual(dequeued(consumer, 8), upFrom(2, 8));
});

Deno.test("SpscRing.dequeueBulk() returns all or none", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  const burst = Burst.of(9);
  producer.enqueueBulk(numbered(3), 3);
  equal(consumer.dequeueBulk(burst, 4), 0);
  equal(burst.words[0] | burst.words[1], 0, "nothing was read");
  equal(consumer.dequeueBulk(burst, 3), 3);
  deepEqual(wordsOf(burst, 3), upFrom(0, 3));
  producer.enqueueBulk(numbered(8), 8);
  equal(consumer.dequeueBulk(burst, 9), 0);
  equal(consumer.dequeueBulk(burst, 8), 8);
});

Deno.test("SpscRing: a burst or bulk of none is none", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  producer.enqueueBulk(numbered(1), 1);
  equal(producer.enqueueBurst(numbered(1), 0) + producer.enqueueBulk(numbered(1), 0), 0);
  equal(consumer.dequeueBurst(numbered(1), 0) + consumer.dequeueBulk(numbered(1), 0), 0);
  equal(producer.count, 1);
});

Deno.test("SpscRing publishes once a burst: the producer's position is the only word of its line", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  producer.enqueueBurst(numbered(5), 5);
  equal(memory.u32[RING.PRODUCER], 5);
  equal(memory.u32[RING.CONSUMER], 0);
  deepEqual([...memory.u32.slice(RING.SLOTS, RING.SLOTS + 10)], upFrom(0, 5));
  dequeued(consumer, 2);
  equal(memory.u32[RING.PRODUCER], 5);
  equal(memory.u32[RING.CONSUMER], 2);
});

Deno.test("SpscRing.pending tells what waits, as the producer has published", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  equal(consumer.pending, 0);
  producer.enqueueBurst(numbered(5), 5);
  equal(consumer.pending, 5);
  memory.u32[RING.PRODUCER] = SIZE + 1;
  equal(consumer.pending, 5, "an impossible position is not believed");
  equal(consumer.violations, 1);
});

Deno.test("SpscRing.bytes() covers the last slot and no more", () => {
  equal(SpscRing.bytes(SIZE), 256 + SIZE * 8);
  using memory = freshMemory(4096);
  memory.u32.fill(0xeeeeeeee);
  const offset = 1024;
  memory.u32[offset / 4 + RING.PRODUCER] = memory.u32[offset / 4 + RING.CONSUMER] = 0;
  equal(new SpscRing(memory, offset, SIZE).enqueueBurst(numbered(8), 8), 8);
  equal(memory.u32[(offset + SpscRing.bytes(SIZE)) / 4 - 1], 22);
  equal(memory.u32[(offset + SpscRing.bytes(SIZE)) / 4], 0xeeeeeeee);
  equal(memory.u32[offset / 4 - 1], 0xeeeeeeee);
});

for (const position of [2 ** 31 - 3, 2 ** 32 - 8, 2 ** 32 - 5, 2 ** 32 - 1]) {
  Deno.test(`SpscRing goes on past position ${position}`, () => {
    using memory = freshMemory(4096);
    const [producer, consumer] = ends(memory, position);
    let sent = 0, received = 0;
    for (let i = 0; i < 20; i++) {
      sent += producer.enqueueBurst(numbered(i % 11, sent), i % 11);
      equal(producer.count, sent - received);
      equal(consumer.count, sent - received);
      const n = producer.count;
      deepEqual(dequeued(consumer, 5), upFrom(received, Math.min(n, 5)));
      received += Math.min(n, 5);
    }
    equal(memory.u32[RING.PRODUCER], (position + sent) % 2 ** 32);
    equal(memory.u32[RING.CONSUMER], (position + received) % 2 ** 32);
    equal(producer.violations + consumer.violations, 0);
  });

  Deno.test(`SpscRing holds all of its slots from position ${position} on`, () => {
    using memory = freshMemory(4096);
    const [producer, consumer] = ends(memory, position);
    equal(producer.enqueueBulk(numbered(8), 8), 8);
    equal(producer.enqueueBurst(numbered(1), 1), 0);
    equal(producer.violations, 0);
    deepEqual(dequeued(consumer, 9), upFrom(0, 8));
  });
}

Deno.test("SpscRing made anew goes on where the old one stopped", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory);
  producer.enqueueBurst(numbered(6), 6);
  dequeued(consumer, 4);
  const [nextProducer, nextConsumer] = [
    new SpscRing(memory, 0, SIZE),
    new SpscRing(memory, 0, SIZE),
  ];
  equal(nextProducer.enqueueBurst(numbered(9, 6), 9), 6);
  deepEqual(dequeued(nextConsumer, 9), upFrom(4, 8));
});

Deno.test("SpscRing.reset() empties both ends, whatever they had cached", () => {
  using memory = freshMemory(4096);
  const [producer, consumer] = ends(memory, 1000);
  producer.enqueueBurst(numbered(6), 6);
  dequeued(consumer, 4);
  producer.reset();
  consumer.reset();
  deepEqual([memory.u32[RING.PRODUCER], memory.u32[RING.CONSUMER]], [0, 0]);
  equal(producer.enqueueBurst(numbered(9), 9), 8);
  deepEqual(dequeued(consumer, 9), upFrom(0, 8));
  equal(producer.violations + consumer.violations, 0);
});

Deno.test("SpscRing made after the other end's reset() sees an empty ring", () => {
  using memory = freshMemory(4096);
  const [host] = ends(memory, 77);
  host.enqueueBurst(numbered(5), 5);
  host.reset();
  const guest = new SpscRing(memory, 0, SIZE);
  equal(guest.dequeueBurst(Burst.of(8), 8), 0);
  equal(host.enqueueBurst(numbered(9), 9), 8);
  deepEqual(dequeued(guest, 9), upFrom(0, 8));
});

for (const size of [0, 1, 6, 2 ** 25]) {
  Deno.test(`SpscRing refuses a size of ${size}`, () => {
    using memory = freshMemory(4096);
    throws(() => new SpscRing(memory, 0, size), { name: "CulvertError" });
  });
}
