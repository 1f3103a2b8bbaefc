import { deepEqual, equal, ok } from "node:assert/strict";
import { Frames } from "../../app/toolkit/frames.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { FramesLab, STRIDE } from "./frames_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

Deno.test("Frames.linearize() stays in the first mbuf where it can, else takes a fresh one", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(3);
  lab.make(burst, 0, [1, 2]);
  lab.make(burst, 1, [3, 4]);
  const [first] = burst.words;
  lab.frames.chain(burst, 0, burst, 1);
  ok(lab.frames.linearize(burst, 0));
  deepEqual([...burst.words.subarray(0, 2)], [first, dataWord(128, 4)]);
  deepEqual(lab.bytes(burst, 0), [1, 2, 3, 4]);
  equal(lab.pool.available, 9);

  lab.make(burst, 1, Array(100).fill(7), STRIDE - 100); // no tailroom
  lab.make(burst, 2, Array(20).fill(8));
  const [, , second] = burst.words;
  lab.frames.chain(burst, 1, burst, 2);
  ok(lab.frames.linearize(burst, 1));
  ok(burst.words[2] !== second && Frames.isPlain(burst, 2));
  deepEqual(lab.bytes(burst, 1), [...Array(100).fill(7), ...Array(20).fill(8)]);
  equal(lab.pool.available, 8);
});

for (const [tail, stays] of [[28, true], [29, false]] as const) {
  Deno.test(`Frames.linearize() of 100 bytes and ${tail} ${stays ? "fits" : "does not fit"} behind the headroom`, () => {
    using lab = new FramesLab(3);
    const burst = Burst.of(2);
    lab.make(burst, 0, Array(100).fill(1));
    lab.make(burst, 1, Array(tail).fill(2));
    lab.frames.chain(burst, 0, burst, 1);
    equal(lab.frames.linearize(burst, 0), stays);
    equal(lab.frames.length(burst, 0), 100 + tail);
    equal(lab.pool.available, stays ? 2 : 1);
  });
}

Deno.test("Frames.linearize() leaves others what they hold", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(3);
  lab.make(burst, 0, [1]);
  lab.make(burst, 1, [2]);
  lab.frames.chain(burst, 0, burst, 1);
  lab.frames.clone(burst, 0, burst, 2);
  ok(lab.frames.linearize(burst, 0));
  ok(Frames.isPlain(burst, 1));
  lab.mbufs.u8[lab.mbufs.frameByte(burst.words[0], burst.words[1])] = 99;
  deepEqual([lab.bytes(burst, 0), lab.bytes(burst, 2)], [[99, 2], [1, 2]]);
  lab.frames.free(burst, 1);
  lab.frames.free(burst, 1, 2);
  equal(lab.pool.available, 10);
});

Deno.test("Frames.linearize() refuses what is too long, and changes nothing without mbufs", () => {
  using lab = new FramesLab(3);
  const burst = Burst.of(3);
  for (const i of [0, 1]) lab.make(burst, i, Array(100).fill(i));
  lab.frames.chain(burst, 0, burst, 1);
  const before = burst.words.slice();
  equal(lab.frames.linearize(burst, 0), false);
  deepEqual([...burst.words], [...before]);
  lab.frames.free(burst, 1);
  lab.make(burst, 0, [1]);
  lab.frames.clone(burst, 0, burst, 1);
  lab.make(burst, 2, [2]);
  const other = Burst.of(1);
  lab.pool.allocBulk(other, 1);
  equal(lab.frames.linearize(burst, 0), false);
  lab.pool.free(other, 1);
  ok(lab.frames.linearize(burst, 0));
});

Deno.test("Frames.copy() makes as many segments as are needed, or nothing", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(4);
  const bytes = Array.from({ length: 300 }, (_, i) => i & 0xff);
  for (const i of [0, 1, 2]) lab.make(burst, i, bytes.slice(100 * i, 100 * i + 100));
  lab.frames.chain(burst, 0, burst, 1);
  lab.frames.chain(burst, 0, burst, 2);
  for (const [offset, length, segments] of [[0, 999, 3], [0, 256, 2], [50, 128, 1]]) {
    ok(lab.frames.copy(burst, 0, burst, 3, offset, length));
    deepEqual(lab.bytes(burst, 3), bytes.slice(offset, offset + length));
    equal(lab.frames.segments(burst, 3), segments);
    equal(lab.frames.check(burst, 3), undefined);
    lab.frames.free(burst, 1, 3);
    equal(lab.pool.available, 7);
  }
  const before = burst.words.slice();
  for (const offset of [300, 301]) {
    equal(lab.frames.copy(burst, 0, burst, 3, offset), false, "no such byte");
  }
  const rest = Burst.of(5);
  lab.pool.allocBulk(rest, 5);
  equal(lab.frames.copy(burst, 0, burst, 3), false, "two mbufs are too few");
  equal(lab.pool.available, 2);
  deepEqual([...burst.words], [...before]);
});
