import { deepEqual, equal, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { RING } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import type { Sharing } from "../../app/ring/sharing.ts";
import type { ElementBytes } from "../../app/ring/ring_size.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import fc from "fast-check";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { wordsOf } from "../kit/burst_of.ts";

// Every operation of every ring and mode beside a plain array. Bursts wrap in the slots.

const SIZE = 64;
/** Most elements that are asked for. */
const COUNT_MAX = SIZE + 6;
/** Most elements of a burst that lie in front of those that are asked for. */
const AT_MAX = 3;
const SHARINGS: Sharing[] = ["single", "multi", "hts", "rts"];
const ELEMENTS: ElementBytes[] = [4, 8, 16];
/** Bursts to choose from, for all runs, as a burst is never freed: of two memories. */
const BURSTS = {
  4: [AT_MAX, AT_MAX, 2 ** 15].map((more) => Burst.of(COUNT_MAX + more, 4)),
  8: [AT_MAX, AT_MAX, 2 ** 15].map((more) => Burst.of(COUNT_MAX + more, 8)),
  16: [AT_MAX, AT_MAX, 2 ** 15].map((more) => Burst.of(COUNT_MAX + more, 16)),
};

type Ring = SpscRing | MpmcRing;

/** A ring whose both ends one test uses. */
interface Kind {
  readonly name: string;
  readonly elementBytes: ElementBytes;
  /** Whether a producer, or consumer, can give back a part of what it reserved, or peeked. */
  readonly givesBack: { readonly producer: boolean; readonly consumer: boolean };
  /** Set the positions of a new ring. */
  prepare(memory: MappedMemory, position: number): void;
  /** Use the ring that is there. */
  open(memory: MappedMemory, capacity: number): Ring;
}

const spscKinds: Kind[] = ELEMENTS.map((elementBytes) => ({
  name: `SpscRing, ${elementBytes} bytes`,
  elementBytes,
  givesBack: { producer: true, consumer: true },
  prepare(memory, position) {
    memory.u32[RING.PRODUCER] = memory.u32[RING.CONSUMER] = position;
  },
  open: (memory, capacity) => new SpscRing(memory, 0, SIZE, { elementBytes, capacity }),
}));

const canGiveBack = (sharing: Sharing) => sharing === "single" || sharing === "hts";

const mpmcKinds: Kind[] = SHARINGS.flatMap((producers) =>
  SHARINGS.flatMap((consumers) =>
    ELEMENTS.map((elementBytes): Kind => ({
      name: `MpmcRing, ${producers} producer, ${consumers} consumer, ${elementBytes} bytes`,
      elementBytes,
      givesBack: { producer: canGiveBack(producers), consumer: canGiveBack(consumers) },
      prepare: (memory, position) =>
        new MpmcRing(memory, 0, SIZE, { producers, consumers, elementBytes }).reset(position),
      open(memory, capacity) {
        const shape = { producers, consumers, elementBytes, capacity, headTailMax: SIZE };
        return new MpmcRing(memory, 0, SIZE, shape);
      },
    }))
  )
);

const CALLS = [
  "enqueueBulk",
  "enqueueBurst",
  "dequeueBulk",
  "dequeueBurst",
  "reserveBulk",
  "reserveBurst",
  "peekBulk",
  "peekBurst",
  "enqueue",
  "dequeue",
  "reset",
] as const;

const position = fc.oneof(
  fc.integer({ min: 2 ** 32 - 2 * SIZE, max: 2 ** 32 - 1 }),
  fc.integer({ min: 2 ** 31 - 2 * SIZE, max: 2 ** 31 + SIZE }),
  fc.nat(0xffffffff),
);
/**
 * A call, its count, how many of those that it gave are then committed or finished, of 100, which
 * burst it is given, and from which element on.
 */
const step = fc.tuple(
  fc.constantFrom(...CALLS),
  fc.nat(COUNT_MAX),
  fc.nat(100),
  fc.nat(2),
  fc.nat(AT_MAX),
);

for (const { name, elementBytes, givesBack, prepare, open } of [...spscKinds, ...mpmcKinds]) {
  const width = elementBytes / 4;
  /** The words of element number `i`. */
  const element = (i: number) =>
    Array.from({ length: width }, (_, k) => Math.imul(i + 1, 0x9e3779b1) + k >>> 0);

  Deno.test(`${name}: all operations are those of a bounded queue, whatever the position`, () => {
    using memory = freshMemory(8192);
    const capacities = fc.constantFrom(SIZE, SIZE - 1, 37, 1);
    const steps = fc.array(step, { maxLength: 60 });
    fc.assert(
      fc.property(position, capacities, steps, (position, capacity, steps) => {
        prepare(memory, position);
        let producer = open(memory, capacity), consumer = open(memory, capacity);
        const model: number[] = [];
        let next = 0, end = 0;
        let looked: Uint32Array;
        const fill = ({ words }: Burst, n: number, at: number) => {
          for (let i = 0; i < n; i++) words.set(element(next + i), (at + i) * width);
        };
        const taken = (n: number) => model.splice(0, n).flatMap(element);
        for (const [call, n, share, which, at] of steps) {
          const burst = BURSTS[elementBytes][which];
          const has = call.startsWith("enqueue") || call.startsWith("reserve")
            ? capacity - model.length
            : model.length;
          const wanted = n <= has ? n : call.endsWith("Burst") ? has : 0;
          switch (call) {
            case "enqueueBulk":
            case "enqueueBurst":
              fill(burst, n, at);
              equal(producer[call](burst, n, at), wanted);
              for (let i = 0; i < wanted; i++) model.push(next++);
              break;
            case "dequeueBulk":
            case "dequeueBurst":
              looked = burst.words.subarray(0, (COUNT_MAX + AT_MAX) * width).fill(0xee);
              equal(consumer[call](burst, n, at), wanted);
              end = (at + wanted) * width;
              deepEqual([...looked.subarray(at * width, end)], taken(wanted));
              equal(looked.subarray(0, at * width).every((word) => word === 0xee), true);
              equal(looked.subarray(end).every((word) => word === 0xee), true);
              break;
            case "reserveBulk":
            case "reserveBurst": {
              equal(producer[call](n), wanted);
              const first = producer.reserved;
              const used = givesBack.producer ? Math.floor(wanted * share / 100) : wanted;
              for (let i = 0; i < used; i++) {
                producer.words.set(element(next + i), ((first + i) & producer.mask) * width);
              }
              producer.commit(used);
              for (let i = 0; i < used; i++) model.push(next++);
              break;
            }
            case "peekBulk":
            case "peekBurst": {
              equal(consumer[call](n), wanted);
              const first = consumer.peeked;
              const seen = Array.from({ length: wanted }, (_, i) => {
                const word = ((first + i) & consumer.mask) * width;
                return [...consumer.words.subarray(word, word + width)];
              });
              deepEqual(seen.flat(), model.slice(0, wanted).flatMap(element));
              const used = givesBack.consumer ? Math.floor(wanted * share / 100) : wanted;
              consumer.finish(used);
              taken(used);
              break;
            }
            case "reset": {
              // By either end, which goes on as it is; the other one is opened again.
              const ring = share < 50 ? producer : consumer;
              if (ring instanceof SpscRing) ring.reset();
              else ring.reset((2 ** 32 - n) >>> 0);
              const other = open(memory, capacity);
              [producer, consumer] = share < 50 ? [ring, other] : [other, ring];
              model.length = 0;
              break;
            }
            case "enqueue": {
              const isRoom = model.length < capacity;
              if (width > 1) continue; // a mark, not a whole element
              equal(producer.enqueue(element(next)[0]), isRoom);
              if (isRoom) model.push(next++);
              break;
            }
            case "dequeue":
              equal(consumer.dequeue(), model.length === 0 ? -1 : taken(1)[0]);
          }
          equal(producer.count, model.length);
          equal(consumer.freeCount, capacity - model.length);
          equal(producer.isFull, model.length === capacity);
          equal(consumer.isEmpty, model.length === 0);
        }
        if (producer instanceof SpscRing) equal(producer.violations, 0);
      }),
      { numRuns: 40 },
    );
  });
}

for (const sharing of SHARINGS) {
  const canGiveBack = sharing === "single" || sharing === "hts";

  Deno.test(`MpmcRing.commit() and finish() refuse what was not claimed (${sharing})`, () => {
    using memory = freshMemory(8192);
    const ring = new MpmcRing(memory, 0, 8, { producers: sharing, consumers: sharing });
    equal(ring.reserveBulk(3), 3);
    throws(() => ring.commit(4), /^CulvertError: Cannot hand over 4 slots .* as 3 are claimed/);
    throws(() => ring.commit(-1), { name: "CulvertError" });
    if (!canGiveBack) throws(() => ring.commit(2), /gives nothing back/);
    ring.commit(3);
    throws(() => ring.commit(1), { name: "CulvertError" });
    equal(ring.peekBurst(8), 3);
    throws(() => ring.finish(4), /^CulvertError: Cannot hand over 4 slots/);
    if (!canGiveBack) throws(() => ring.finish(2), /gives nothing back/);
    ring.finish(3);
    equal(ring.isEmpty, true);
  });

  Deno.test(`MpmcRing that is spoiled looks full, or empty, and hangs nobody (${sharing})`, () => {
    using memory = freshMemory(8192);
    const shape = { producers: sharing, consumers: sharing };
    const ring = new MpmcRing(memory, 0, 8, shape);
    memory.u32[1] = 1000; // the producers' tail
    equal(ring.dequeueBurst(Burst.of(8, 4), 8), 0);
    ring.reset();
    equal(ring.enqueueBurst(Burst.of(8, 4), 8), 8);
    memory.u32[33] = 1000; // the consumers' tail
    equal(ring.enqueueBurst(Burst.of(8, 4), 8), 0);
  });

  Deno.test(`MpmcRing's remembered positions do not mislead who comes after others (${sharing})`, () => {
    using memory = freshMemory(8192);
    const shape = { producers: sharing, consumers: sharing };
    const rings = [0, 1, 2].map(() => new MpmcRing(memory, 0, 8, shape));
    const random = Array.from({ length: 2000 }, (_, i) => Math.imul(i + 7, 0x9e3779b1) >>> 20);
    const model: number[] = [];
    const elements = Burst.of(8, 4);
    random.forEach((number, i) => {
      const ring = rings[number % 3];
      const n = number % 7;
      if (number & 64) {
        const wanted = Math.min(n, 8 - model.length);
        for (let k = 0; k < n; k++) elements.words[k] = i * 8 + k;
        equal(ring.enqueueBurst(elements, n), wanted);
        model.push(...wordsOf(elements, wanted));
      } else {
        const got = ring.dequeueBurst(elements, n);
        deepEqual(wordsOf(elements, got), model.splice(0, Math.min(n, model.length)));
      }
    });
  });
}
