import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { RING } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import fc from "fast-check";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { burstOf, wordsOf } from "../kit/burst_of.ts";

const SIZE = 8;

/** The words of `count` descriptors that tell themselves apart, from number `first` on. */
function upFrom(first: number, count: number): number[] {
  const words = Array.from({ length: count }, (_, i) => [first + i, (first + i) * 3 + 1]);
  return words.flat();
}

/** A burst of them. */
function numbered(count: number, first = 0): Burst {
  return burstOf(upFrom(first, count));
}

/** Both ends of a ring of eight whose positions stand at `position`. */
function ends(memory: MappedMemory, position = 0): [producer: SpscRing, consumer: SpscRing] {
  memory.u32[RING.PRODUCER] = position;
  memory.u32[RING.CONSUMER] = position;
  return [new SpscRing(memory, 0, SIZE), new SpscRing(memory, 0, SIZE)];
}

/** What the next `max` descriptors are. */
function dequeued(ring: SpscRing, max: number): number[] {
  const burst = Burst.of(max);
  return wordsOf(burst, ring.dequeueBurst(burst, max));
}

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

/** Bursts to choose from, for all runs: a burst is never freed. */
const BURSTS = [Burst.of(SIZE + 3), Burst.of(SIZE + 3)];
const whichBurst = fc.nat(BURSTS.length - 1);

/** One step of a random history: which call, for how many, with which burst. */
const step = fc.tuple(
  fc.constantFrom("enqueueBurst", "enqueueBulk", "dequeueBurst", "dequeueBulk"),
  fc.nat({ max: SIZE + 3 }),
  whichBurst,
);

Deno.test("SpscRing behaves as a bounded queue, whatever the calls and the position", () => {
  using memory = freshMemory(4096);
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.array(step, { maxLength: 60 }), (position, steps) => {
      const [producer, consumer] = ends(memory, position);
      const model: number[] = [];
      let next = 0;
      for (const [call, n, which] of steps) {
        const burst = BURSTS[which];
        if (call === "enqueueBurst" || call === "enqueueBulk") {
          const free = SIZE - model.length;
          const wanted = n <= free ? n : call === "enqueueBurst" ? free : 0;
          burst.words.set(upFrom(next, n));
          equal(producer[call](burst, n), wanted);
          for (let i = 0; i < wanted; i++) model.push(next++);
        } else {
          const used = model.length;
          const wanted = n <= used ? n : call === "dequeueBurst" ? used : 0;
          equal(consumer[call](burst, n), wanted);
          deepEqual(wordsOf(burst, wanted), upFrom(model[0], wanted));
          model.splice(0, wanted);
        }
        equal(producer.count, model.length);
      }
      equal(producer.violations + consumer.violations, 0);
    }),
  );
});

for (const end of ["enqueue", "dequeue"] as const) {
  Deno.test(`SpscRing.${end}*() stays in bounds, whatever the peer publishes and when`, () => {
    const [own, peer] = end === "enqueue"
      ? ["PRODUCER", "CONSUMER"] as const
      : ["CONSUMER", "PRODUCER"] as const;
    using memory = freshMemory(4096);
    const near = fc.integer({ min: -SIZE - 2, max: SIZE + 2 });
    const hostile = fc.tuple(
      fc.boolean(),
      fc.nat(SIZE + 3),
      fc.oneof(near, fc.nat(0xffffffff)),
      whichBurst,
    );
    fc.assert(fc.property(fc.nat(0xffffffff), fc.array(hostile), (position, steps) => {
      const ring = ends(memory, position)[0];
      memory.u32.fill(0xeeeeeeee, SpscRing.bytes(SIZE) / 4);
      for (const [isBulk, n, away, which] of steps) {
        const before = memory.u32[RING[own]];
        memory.u32[RING[peer]] = before + away;
        const moved = ring[`${end}${isBulk ? "Bulk" : "Burst"}`](BURSTS[which], n);
        const most = isBulk && n > SIZE ? 0 : Math.min(n, SIZE);
        equal(moved >= 0 && moved <= most, true, `${moved} of ${n}`);
        equal(memory.u32[RING[own]], (before + moved) % 2 ** 32);
      }
      equal(
        memory.u32[SpscRing.bytes(SIZE) / 4],
        0xeeeeeeee,
        "nothing behind the ring was touched",
      );
    }));
  });
}
