import { equal, notEqual, ok } from "node:assert/strict";
import { newBurst, placeOf } from "../../app/ring/burst.ts";
import { NO_WORD, SlotsCopy } from "../../app/ring/slots.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const SIZE = 64, START = 100, WORD = 7, MARK = 0xeeeeeeee;

const ROOM = 4 * SIZE;
const FIRST = newBurst(ROOM);
/** Of them, two lie in one memory of bursts, the last one in another. */
const ARRAYS = [FIRST, new Uint32Array(ROOM), newBurst(ROOM), newBurst(2 ** 14)];
const POSITIONS = [0, 37, SIZE - 1, 2 ** 31 - 5, 2 ** 31 + 3, 2 ** 32 - 20, 2 ** 32 - 1];

Deno.test("these tests use bursts that do not all lie at the same place", () => {
  const [first, , second, third] = ARRAYS.map(placeOf);
  equal(first?.map, second?.map);
  notEqual(first?.word, second?.word);
  notEqual(first?.map, third?.map);
});

for (const elementBytes of [4, 8, 16] as const) {
  const width = elementBytes / 4;
  const end = START + SIZE * width;

  for (const direction of ["write", "read"] as const) {
    Deno.test(`SlotsCopy: a ${direction} of newBurst() is the shim's, if the burst is that long (${elementBytes} bytes)`, () => {
      using memory = freshMemory(8192);
      const slots = new SlotsCopy({ memory, start: START, size: SIZE, elementBytes }, direction);
      const most = 40, short = newBurst(most * width), plain = new Uint32Array(most * width);
      for (let n = 0; n <= SIZE; n++) {
        const position = (2 ** 32 - 30 + n) >>> 0;
        for (const burst of [short, plain]) {
          memory.u32[WORD] = position;
          const isByShim = burst === short && n <= most;
          equal(slots.copy(position | 0, burst, n, WORD), isByShim, `${n} elements`);
          equal(memory.u32[WORD], isByShim ? (position + n) >>> 0 : position);
        }
      }
    });

    Deno.test(`SlotsCopy: a ${direction} publishes nothing if somebody else has, or there is no word (${elementBytes} bytes)`, () => {
      using memory = freshMemory(8192);
      const slots = new SlotsCopy({ memory, start: START, size: SIZE, elementBytes }, direction);
      memory.u32[WORD] = 6;
      equal(slots.copy(5, FIRST, 20, WORD), false);
      equal(memory.u32[WORD], 6);
      equal(slots.copy(5, FIRST, 20, NO_WORD), false);
    });
  }

  Deno.test(`SlotsCopy copies round the end, to and from any array, and nothing else (${elementBytes} bytes)`, () => {
    using memory = freshMemory(8192);
    const place = { memory, start: START, size: SIZE, elementBytes };
    const [writer, reader] = [new SlotsCopy(place, "write"), new SlotsCopy(place, "read")];
    let next = 1;
    for (const position of POSITIONS) {
      for (const n of [0, 1, 2, 3, 5, 11, 12, 13, 16, 31, SIZE]) {
        for (const sent of ARRAYS) {
          memory.u32.fill(MARK);
          for (let i = 0; i < ROOM; i++) sent[i] = next++;
          writer.copy(position | 0, sent, n, NO_WORD);
          const slotsOf = (word: number) =>
            START + (((position + Math.floor(word / width)) % SIZE) * width) + word % width;
          for (let i = 0; i < SIZE * width; i++) {
            equal(memory.u32[slotsOf(i)], i < n * width ? sent[i] : MARK);
          }
          ok(memory.u32.subarray(0, START).every((word) => word === MARK));
          ok(memory.u32.subarray(end, end + SIZE).every((word) => word === MARK));
          const expected = sent.slice(0, n * width).join();
          for (const got of ARRAYS) {
            got.fill(MARK, 0, ROOM);
            reader.copy(position | 0, got, n, NO_WORD);
            equal(got.slice(0, n * width).join(), expected);
            ok(got.subarray(n * width, ROOM).every((word) => word === MARK));
          }
        }
      }
    }
  });
}
