import { deepEqual, equal, match, throws } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { MPMC, MPMC_END } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { numbers } from "../kit/burst_of.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const SIZE = 8;

Deno.test("MpmcRing (rts) keeps each count beside its position, also past 2^32", () => {
  using memory = freshMemory(4096);
  const shape = { producers: "rts", consumers: "rts" } as const;
  const ring = new MpmcRing(memory, 0, SIZE, shape);
  ring.reset(2 ** 32 - 3);
  memory.u32[MPMC_END.TAIL_COUNT] = memory.u32[MPMC_END.HEAD_COUNT] = 2 ** 32 - 1;
  equal(ring.enqueueBulk(numbers(5), 5), 5);
  deepEqual(
    [MPMC_END.TAIL_COUNT, MPMC_END.TAIL, MPMC_END.RTS_HEAD, MPMC_END.HEAD_COUNT].map((word) =>
      memory.u32[word]
    ),
    [0, 2, 2, 0],
  );
});

Deno.test("MpmcRing (hts) claims nothing while another is at work, and gives back what it does not use", () => {
  using memory = freshMemory(4096);
  const shape = { producers: "hts", consumers: "hts" } as const;
  const ring = new MpmcRing(memory, 0, SIZE, shape);
  equal(ring.reserveBurst(5), 5);
  deepEqual([memory.u32[MPMC.PRODUCER_HEAD], memory.u32[MPMC.PRODUCER_TAIL]], [5, 0]);
  ring.commit(2);
  deepEqual([memory.u32[MPMC.PRODUCER_HEAD], memory.u32[MPMC.PRODUCER_TAIL]], [2, 2]);
  equal(ring.reserveBurst(9), 6, "the three are free again");
  ring.commit(0);
  equal(ring.count, 2);
  equal(ring.peekBurst(8), 2);
  deepEqual([memory.u32[MPMC.CONSUMER_HEAD], memory.u32[MPMC.CONSUMER_TAIL]], [2, 0]);
  ring.finish(0);
  equal(ring.dequeueBurst(Burst.of(8, 4), 8), 2);
});

Deno.test("MpmcRing.dump() tells shape, fill and both ends' positions", () => {
  using memory = freshMemory(4096);
  const shape = { producers: "rts", consumers: "hts", elementBytes: 16, capacity: 6 } as const;
  const ring = new MpmcRing(memory, 0, SIZE, shape);
  const burst = Burst.of(5, 16);
  ring.enqueueBulk(burst, 5);
  ring.dequeueBulk(burst, 2);
  equal(
    ring.dump(),
    "8 slots of 16 bytes, capacity 6: 3 used, 3 free\n" +
      "producers rts: head 5, tail 5\nconsumers hts: head 2, tail 2\n",
  );
});

Deno.test("SpscRing.dump() tells shape, fill, positions and violations", () => {
  using memory = freshMemory(4096);
  const ring = new SpscRing(memory, 0, SIZE, { elementBytes: 4 });
  ring.enqueueBulk(numbers(3), 3);
  match(
    ring.dump(),
    /^8 slots of 4 bytes, capacity 8: 3 used, 5 free\nproducer 3, consumer 0, 0 v/,
  );
});

Deno.test("a ring refuses elements and capacities that are not possible", () => {
  using memory = freshMemory(4096);
  for (const Ring of [SpscRing, MpmcRing]) {
    for (const capacity of [0, 9, 1.5, -1]) {
      throws(() => new Ring(memory, 0, 8, { capacity }), /^CulvertError: .* 1 to 8 are possible/);
    }
    const elementBytes = 12 as 16;
    throws(() => new Ring(memory, 0, 8, { elementBytes }), /4, 8 or 16 are possible/);
  }
});

/** Counts the calls into the shim that copy slots, and those that load or change positions. */
function countedCalls() {
  const { shim_slots_copy, shim_compare_exchange, shim_load_acquire } = shim;
  const counted = {
    moves: 0,
    others: 0,
    [Symbol.dispose]: () =>
      void Object.assign(shim, { shim_slots_copy, shim_compare_exchange, shim_load_acquire }),
  };
  Object.assign(shim, {
    shim_slots_copy: (...args: Parameters<typeof shim_slots_copy>) => {
      counted.moves++;
      return shim_slots_copy(...args);
    },
    shim_compare_exchange: (...args: Parameters<typeof shim_compare_exchange>) => {
      counted.others++;
      return shim_compare_exchange(...args);
    },
    shim_load_acquire: (...args: Parameters<typeof shim_load_acquire>) => {
      counted.others++;
      return shim_load_acquire(...args);
    },
  });
  return counted;
}

for (const sharing of ["single", "multi", "hts", "rts"] as const) {
  Deno.test(`an end of mode ${sharing} does nothing else while slots of it are reserved or peeked`, () => {
    using memory = freshMemory(4096);
    const ring = new MpmcRing(memory, 0, 8, { producers: sharing, consumers: sharing });
    equal(ring.reserveBulk(1), 1);
    const elements = Burst.of(4, 4);
    for (
      const use of [
        () => ring.reserveBurst(1),
        () => ring.enqueue(1),
        () => ring.enqueueBulk(elements, 1),
      ]
    ) {
      throws(use, /^CulvertError: Cannot use an end of a ring as slots are reserved there/);
    }
    ring.commit(1);
    equal(ring.peekBulk(1), 1);
    for (
      const use of [
        () => ring.peekBurst(1),
        () => ring.dequeue(),
        () => ring.dequeueBulk(elements, 1),
      ]
    ) {
      throws(use, /^CulvertError: Cannot use an end of a ring as slots are peeked there/);
    }
    ring.finish(1);
    equal(ring.isEmpty, true);
  });

  Deno.test(`an end of mode ${sharing} takes no count below 1 for one`, () => {
    using memory = freshMemory(4096);
    const ring = new MpmcRing(memory, 0, 8, { producers: sharing, consumers: sharing });
    const elements = Burst.of(8, 4);
    for (const count of [0, -1, NaN, 0.5]) {
      equal(ring.enqueueBulk(elements, count), 0);
      equal(ring.enqueueBurst(elements, count), 0);
      equal(ring.reserveBurst(count), 0);
      equal(ring.dequeueBulk(elements, count), 0);
      equal(ring.peekBurst(count), 0);
    }
    equal(ring.enqueueBulk(elements, 2.5), 0);
    equal(ring.count, 0);
    equal(ring.enqueueBurst(elements, 2.5), 2);
    equal(ring.dequeueBurst(elements, 2.5), 2);
    equal(ring.enqueueBulk(elements, 8), 8);
  });
}

Deno.test("a multi end moves all in one call again as soon as nobody else is at work", () => {
  using memory = freshMemory(4096);
  const [one, other] = [new MpmcRing(memory, 0, 64), new MpmcRing(memory, 0, 64)];
  const burst = Burst.of(4, 4);
  equal(one.enqueueBulk(burst, 4), 4);
  equal(other.enqueueBulk(burst, 4), 4); // finds that the head has gone on
  equal(one.enqueueBulk(burst, 4), 4);
  using calls = countedCalls();
  for (let i = 0; i < 3; i++) equal(one.enqueueBulk(burst, 4), 4);
  deepEqual([calls.moves, calls.others], [3, 0]);
});

for (const headTailMax of [0, -1, NaN, 1.5, 9]) {
  Deno.test(`a ring refuses a headTailMax of ${headTailMax}`, () => {
    using memory = freshMemory(4096);
    throws(
      () => new MpmcRing(memory, 0, 8, { producers: "rts", headTailMax }),
      /^CulvertError: Cannot use a ring whose head may be .* ahead of the tail: 1 to its size, 8/,
    );
  });
}
