import { deepEqual, equal, ok } from "node:assert/strict";
import { MbufView } from "../../app/mempool/mbuf.ts";
import { auditMempool } from "../../app/toolkit/mempool_audit.ts";
import { FramesLab } from "./frames_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

Deno.test("Frames.chain() puts one frame behind another, as long as both together", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(3);
  for (const i of [0, 1, 2]) lab.make(burst, i, [10 * i, 10 * i + 1]);
  ok(lab.frames.chain(burst, 1, burst, 2));
  ok(lab.frames.chain(burst, 0, burst, 1));
  equal(lab.frames.segments(burst, 0), 3);
  equal(lab.frames.length(burst, 0), 6);
  deepEqual(lab.bytes(burst, 0), [0, 1, 10, 11, 20, 21]);
  lab.frames.free(burst, 1);
  equal(lab.pool.available, 10);
});

Deno.test("Frames.read() begins and ends in any segment", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(3);
  for (const i of [0, 1, 2]) lab.make(burst, i, [3 * i, 3 * i + 1, 3 * i + 2]);
  lab.frames.chain(burst, 0, burst, 1);
  lab.frames.chain(burst, 0, burst, 2);
  const all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  for (let from = 0; from <= 10; from++) {
    for (let n = 0; n <= 10; n++) {
      const into = new Uint8Array(n);
      const got = lab.frames.read(burst, 0, into, from);
      deepEqual([...into.subarray(0, got)], all.slice(from, from + n), `${n} bytes from ${from}`);
    }
  }
});

Deno.test("Frames.chain(), append() refuse where others hold the last segment", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(3);
  lab.make(burst, 0, [1]);
  lab.make(burst, 2, [2]);
  lab.frames.clone(burst, 0, burst, 1);
  const before = burst.words.slice();
  equal(lab.frames.chain(burst, 0, burst, 2), false);
  equal(lab.frames.append(burst, 1, 1), false);
  deepEqual([...burst.words], [...before]);
  lab.frames.free(burst, 1, 1);
  ok(lab.frames.append(burst, 0, 1), "alone again");
  ok(lab.frames.chain(burst, 0, burst, 2));
  lab.frames.free(burst, 1);
  equal(lab.pool.available, 10);
});

Deno.test("Frames.append() and trim() change the last segment, as far as it goes", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(2);
  lab.make(burst, 0, [1, 2, 3]);
  lab.make(burst, 1, [4, 5, 6]);
  lab.frames.chain(burst, 0, burst, 1);
  equal(lab.frames.trim(burst, 0, 4), false);
  ok(lab.frames.trim(burst, 0, 2));
  deepEqual(lab.bytes(burst, 0), [1, 2, 3, 4]);
  equal(lab.frames.append(burst, 0, 128), false);
  ok(lab.frames.append(burst, 0, 127));
  equal(lab.frames.length(burst, 0), 3 + 128);
  const view = new MbufView(lab.mbufs).moveTo(burst, 0);
  equal(view.hasMore && (view.append(1) || view.trim(1)), false, "that is not the first's");
  ok(view.adjust(1) && view.prepend(2));
});

Deno.test("Frames.trim() of a clone leaves the other as long as it was", () => {
  using lab = new FramesLab(10);
  const burst = Burst.of(4);
  lab.make(burst, 0, [1, 2, 3]);
  lab.frames.clone(burst, 0, burst, 1);
  ok(lab.frames.trim(burst, 1, 1));
  deepEqual([lab.bytes(burst, 0), lab.bytes(burst, 1)], [[1, 2, 3], [1, 2]]);
  lab.frames.free(burst, 2);
  lab.make(burst, 0, [1]);
  lab.make(burst, 1, [2]);
  lab.frames.chain(burst, 0, burst, 1);
  lab.frames.clone(burst, 0, burst, 2);
  equal(lab.frames.trim(burst, 2, 1), false, "what follows the first segment is shared");
  lab.frames.free(burst, 1, 0);
  ok(lab.frames.trim(burst, 2, 1));
  lab.frames.free(burst, 1, 2);
  equal(lab.pool.available, 10);
});

for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0]]) {
  Deno.test(`a frame of two segments with three holders is free when the last lets go: ${order}`, () => {
    using lab = new FramesLab(10);
    const burst = Burst.of(4);
    lab.make(burst, 0, [1]);
    lab.make(burst, 1, [2]);
    lab.frames.chain(burst, 0, burst, 1);
    lab.frames.clone(burst, 0, burst, 1);
    lab.frames.clone(burst, 1, burst, 2);
    for (const [freed, i] of order.entries()) {
      equal(lab.pool.available, 8);
      equal(lab.frames.refcount(burst, i), 3 - freed);
      equal(lab.frames.check(burst, i), undefined);
      deepEqual(lab.bytes(burst, i), [1, 2]);
      lab.frames.free(burst, 1, i);
    }
    equal(lab.pool.available, 10);
    for (let index = 0; index < 10; index++) {
      equal(lab.metadata.u32[lab.metadata.refcountWord(index)], 0);
    }
  });
}

Deno.test("a mbuf that was shared and freed is one's own when it is allocated again", () => {
  using lab = new FramesLab(1);
  const burst = Burst.of(3);
  for (let round = 0; round < 3; round++) {
    lab.make(burst, 0, [round]);
    equal(burst.words[0], 0);
    equal(lab.frames.refcount(burst, 0), 1);
    lab.frames.addReferences(burst, 0, 4);
    for (let i = 0; i < 5; i++) lab.frames.free(burst, 1);
    equal(lab.pool.available, 1);
  }
});

Deno.test("Frames.free() takes 200 frames of two segments each", () => {
  using lab = new FramesLab(400);
  const burst = Burst.of(400);
  lab.pool.allocBulk(burst, 400);
  for (let i = 0; i < 200; i++) lab.frames.chain(burst, i, burst, 200 + i);
  lab.frames.free(burst, 200);
  equal(lab.pool.available, 400);
  deepEqual(auditMempool(lab.pool), []);
});
