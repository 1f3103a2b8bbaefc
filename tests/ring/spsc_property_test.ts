import { deepEqual, equal } from "node:assert/strict";
import { RING } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import fc from "fast-check";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { wordsOf } from "../kit/burst_of.ts";
import { ends, SIZE, upFrom } from "./spsc_ends.ts";

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
