import { deepEqual, equal, throws } from "node:assert/strict";
import { MPMC } from "../../app/memory/layout.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import type { Sharing } from "../../app/ring/sharing.ts";
import fc from "fast-check";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf, numbers, wordsOf } from "../kit/burst_of.ts";

const SIZE = 8;
const SHARINGS: Sharing[] = ["single", "multi"];
const MODES = SHARINGS.flatMap((producers) =>
  SHARINGS.map((consumers) => ({ producers, consumers }))
);

/** What the next `max` elements are. */
function dequeued(ring: MpmcRing, max: number): number[] {
  const elements = Burst.of(max, 4);
  return wordsOf(elements, ring.dequeueBurst(elements, max));
}

/** `count` numbers from `first` on. */
function upFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

for (const mode of MODES) {
  const name = `MpmcRing (${mode.producers} producer, ${mode.consumers} consumer)`;

  Deno.test(`${name} is first in, first out`, () => {
    using memory = freshMemory(4096);
    const ring = new MpmcRing(memory, 0, SIZE, mode);
    equal(ring.dequeueBurst(Burst.of(1, 4), 1), 0);
    equal(ring.enqueueBurst(numbers(3), 3), 3);
    equal(ring.enqueueBulk(numbers(2, 3), 2), 2);
    equal(ring.count, 5);
    deepEqual(dequeued(ring, 4), upFrom(0, 4));
    deepEqual(dequeued(ring, 4), upFrom(4, 1));
    equal(ring.count, 0);
  });

  Deno.test(`${name}.enqueueBurst() takes only what fits, enqueueBulk() all or none`, () => {
    using memory = freshMemory(4096);
    const ring = new MpmcRing(memory, 0, SIZE, mode);
    equal(ring.enqueueBulk(numbers(9), 9), 0);
    equal(ring.enqueueBurst(numbers(9), 9), 8);
    equal(ring.enqueueBurst(numbers(1), 1) + ring.enqueueBulk(numbers(1), 1), 0);
    equal(ring.count, 8);
    deepEqual(dequeued(ring, 2), upFrom(0, 2));
    equal(ring.enqueueBulk(numbers(3, 8), 3), 0);
    equal(ring.enqueueBulk(numbers(2, 8), 2), 2);
    deepEqual(dequeued(ring, 9), upFrom(2, 8));
  });

  Deno.test(`${name}.dequeueBulk() returns all or none`, () => {
    using memory = freshMemory(4096);
    const ring = new MpmcRing(memory, 0, SIZE, mode);
    const elements = burstOf(Array(9).fill(0xee), 4);
    ring.enqueueBulk(numbers(8), 8);
    equal(ring.dequeueBulk(elements, 9), 0);
    equal(elements.words[0], 0xee, "nothing was read");
    equal(ring.dequeueBulk(elements, 5), 5);
    equal(ring.dequeueBulk(elements, 4), 0);
    equal(ring.dequeueBulk(elements, 3), 3);
    deepEqual(wordsOf(elements, 3), upFrom(5, 3));
  });

  for (const position of [2 ** 31 - 3, 2 ** 32 - 8, 2 ** 32 - 1]) {
    Deno.test(`${name} goes on past position ${position}`, () => {
      using memory = freshMemory(4096);
      const ring = new MpmcRing(memory, 0, SIZE, mode);
      ring.reset(position);
      let sent = 0, received = 0;
      for (let i = 0; i < 20; i++) {
        sent += ring.enqueueBurst(numbers(i % 11, sent), i % 11);
        const n = Math.min(sent - received, 5);
        equal(ring.count, sent - received);
        deepEqual(dequeued(ring, 5), upFrom(received, n));
        received += n;
      }
      equal(memory.u32[MPMC.PRODUCER_HEAD], (position + sent) % 2 ** 32);
      equal(memory.u32[MPMC.PRODUCER_TAIL], (position + sent) % 2 ** 32);
      equal(memory.u32[MPMC.CONSUMER_HEAD], (position + received) % 2 ** 32);
      equal(memory.u32[MPMC.CONSUMER_TAIL], (position + received) % 2 ** 32);
    });
  }

  Deno.test(`${name} behaves as a bounded queue, whatever the calls and the position`, () => {
    using memory = freshMemory(4096);
    const ring = new MpmcRing(memory, 0, SIZE, mode);
    const calls = ["enqueueBurst", "enqueueBulk", "dequeueBurst", "dequeueBulk"] as const;
    const step = fc.tuple(fc.constantFrom(...calls), fc.nat(SIZE + 3));
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.array(step, { maxLength: 60 }), (position, steps) => {
        ring.reset(position);
        const model: number[] = [];
        let next = 0;
        for (const [call, n] of steps) {
          if (call === "enqueueBurst" || call === "enqueueBulk") {
            const free = SIZE - model.length;
            const wanted = n <= free ? n : call === "enqueueBurst" ? free : 0;
            equal(ring[call](numbers(n, next), n), wanted);
            for (let i = 0; i < wanted; i++) model.push(next++);
          } else {
            const used = model.length;
            const wanted = n <= used ? n : call === "dequeueBurst" ? used : 0;
            const elements = Burst.of(SIZE + 3, 4);
            equal(ring[call](elements, n), wanted);
            deepEqual([...elements.words.subarray(0, wanted)], model.splice(0, wanted));
          }
          equal(ring.count, model.length);
        }
      }),
    );
  });
}

Deno.test("MpmcRing.enqueueBurst() counts no slot as free that a consumer is still reading", () => {
  using memory = freshMemory(4096);
  const ring = new MpmcRing(memory, 0, SIZE);
  ring.enqueueBulk(numbers(8), 8);
  memory.u32[MPMC.CONSUMER_HEAD] = 3; // another consumer has claimed three and not finished
  equal(ring.enqueueBurst(numbers(1), 1), 0);
  memory.u32[MPMC.CONSUMER_TAIL] = 3;
  equal(ring.enqueueBurst(numbers(9, 8), 9), 3);
});

Deno.test("MpmcRing.dequeueBurst() counts no slot as used that a producer is still filling", () => {
  using memory = freshMemory(4096);
  const ring = new MpmcRing(memory, 0, SIZE);
  memory.u32[MPMC.PRODUCER_HEAD] = 3;
  equal(ring.dequeueBurst(Burst.of(8, 4), 8), 0);
  equal(ring.count, 0);
});

Deno.test("MpmcRing.bytes() covers the last slot and no more", () => {
  equal(MpmcRing.bytes(SIZE), 256 + SIZE * 4);
  using memory = freshMemory(4096);
  memory.u32.fill(0xeeeeeeee);
  const ring = new MpmcRing(memory, 1024, SIZE);
  ring.reset();
  equal(ring.enqueueBulk(numbers(8), 8), 8);
  equal(memory.u32[(1024 + MpmcRing.bytes(SIZE)) / 4 - 1], 7);
  equal(memory.u32[(1024 + MpmcRing.bytes(SIZE)) / 4], 0xeeeeeeee);
  equal(memory.u32[1024 / 4 - 1], 0xeeeeeeee);
});

Deno.test("MpmcRing shares its memory with others made over it", () => {
  using memory = freshMemory(4096);
  const [one, two] = [new MpmcRing(memory, 0, SIZE), new MpmcRing(memory, 0, SIZE)];
  one.enqueueBulk(numbers(5), 5);
  two.enqueueBulk(numbers(3, 5), 3);
  equal(one.enqueueBurst(numbers(1), 1), 0);
  deepEqual(dequeued(two, 4), upFrom(0, 4));
  deepEqual(dequeued(one, 4), upFrom(4, 4));
});

Deno.test("MpmcRing refuses a size that is no power of two", () => {
  using memory = freshMemory(4096);
  throws(() => new MpmcRing(memory, 0, 12), { name: "CulvertError" });
});
