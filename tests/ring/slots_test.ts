import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { NO_WORD, SlotsCopy } from "../../app/ring/slots.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { wordsOf } from "../kit/burst_of.ts";

const SIZE = 64, START = 100, WORD = 7, MARK = 0xeeeeeeee;

/** Elements of a burst in front of those that are copied. */
const AT_MAX = 5;
const POSITIONS = [0, 37, SIZE - 1, 2 ** 31 - 5, 2 ** 31 + 3, 2 ** 32 - 20, 2 ** 32 - 1];

for (const elementBytes of [4, 8, 16] as const) {
  const width = elementBytes / 4;
  const end = START + SIZE * width;
  /** Two lie in one memory, the last one in another. */
  const bursts = [0, 0, 2 ** 15].map((more) => Burst.of(SIZE + AT_MAX + more, elementBytes));
  const [first, second, third] = bursts;

  Deno.test(`these tests use bursts that do not all lie at the same place (${elementBytes} bytes)`, () => {
    equal(first.map, second.map);
    notEqual(first.word, second.word);
    notEqual(first.map, third.map);
  });

  for (const direction of ["write", "read"] as const) {
    Deno.test(`SlotsCopy: a ${direction} of ${elementBytes}-byte elements publishes how many it moved`, () => {
      using memory = freshMemory(8192);
      const slots = new SlotsCopy({ memory, start: START, size: SIZE, elementBytes }, direction);
      for (let n = 0; n <= SIZE; n++) {
        const position = (2 ** 32 - 30 + n) >>> 0;
        memory.u32[WORD] = position;
        slots.use(first, n, 0);
        equal(slots.copy(position | 0, n, 0, WORD), true, `${n} elements`);
        equal(memory.u32[WORD], (position + n) >>> 0);
      }
    });

    Deno.test(`SlotsCopy: a ${direction} publishes nothing after another, or without word (${elementBytes} bytes)`, () => {
      using memory = freshMemory(8192);
      const slots = new SlotsCopy({ memory, start: START, size: SIZE, elementBytes }, direction);
      memory.u32[WORD] = 6;
      slots.use(first, 20, 0);
      equal(slots.copy(5, 20, 0, WORD), false);
      equal(memory.u32[WORD], 6);
      equal(slots.copy(5, 20, 0, NO_WORD), false);
    });
  }

  Deno.test(`SlotsCopy copies round the end, to and from any burst, and nothing else (${elementBytes} bytes)`, () => {
    using memory = freshMemory(8192);
    const place = { memory, start: START, size: SIZE, elementBytes };
    const [writer, reader] = [new SlotsCopy(place, "write"), new SlotsCopy(place, "read")];
    const seen = (SIZE + AT_MAX) * width;
    let next = 1;
    for (const position of POSITIONS) {
      for (const n of [0, 1, 2, 3, 5, 11, 12, 13, 16, 31, SIZE]) {
        for (const sent of bursts) {
          const at = next % (AT_MAX + 1);
          memory.u32.fill(MARK);
          for (let i = 0; i < seen; i++) sent.words[i] = next++;
          writer.use(sent, n, at);
          writer.copy(position | 0, n, at, NO_WORD);
          const slotsOf = (word: number) =>
            START + (((position + Math.floor(word / width)) % SIZE) * width) + word % width;
          for (let i = 0; i < SIZE * width; i++) {
            equal(memory.u32[slotsOf(i)], i < n * width ? sent.words[at * width + i] : MARK);
          }
          ok(memory.u32.subarray(0, START).every((word) => word === MARK));
          ok(memory.u32.subarray(end, end + SIZE).every((word) => word === MARK));
          const expected = wordsOf(sent, at + n).slice(at * width);
          for (const got of bursts) {
            const words = got.words.subarray(0, seen).fill(MARK);
            reader.use(got, n, 2);
            reader.copy(position | 0, n, 2, NO_WORD);
            const [from, to] = [2 * width, (2 + n) * width];
            deepEqual([...words.subarray(from, to)], expected);
            ok(words.subarray(0, from).every((word) => word === MARK));
            ok(words.subarray(to).every((word) => word === MARK));
          }
        }
      }
    }
  });
}
