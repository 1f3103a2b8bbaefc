import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Ledger } from "../../app/channel/ledger.ts";
import { nothingTaken } from "../../app/channel/taken_back.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { Frames } from "../../app/toolkit/frames.ts";
import { dataWord, MbufView } from "../../app/mempool/mbuf.ts";
import { auditMempool } from "../../app/toolkit/mempool_audit.ts";
import { FramesLab, STRIDE } from "./frames_lab.ts";
import fc from "fast-check";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const { MORE, SHARED } = DESCRIPTOR_FLAG;

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

Deno.test("Frames.free() takes 200 frames of two segments each", () => {
  using lab = new FramesLab(400);
  const burst = Burst.of(400);
  lab.pool.allocBulk(burst, 400);
  for (let i = 0; i < 200; i++) lab.frames.chain(burst, i, burst, 200 + i);
  lab.frames.free(burst, 200);
  equal(lab.pool.available, 400);
  deepEqual(auditMempool(lab.pool), []);
});

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

const WRONG: [what: string, spoil: (lab: FramesLab, burst: Burst) => void, reason: RegExp][] = [
  ["an index that is none", (_, burst) => burst.words[0] = 10, /^segment 0, mbuf 10: there are 10/],
  [
    "bytes beyond its room",
    (_, burst) => burst.words[1] = dataWord(200, 57),
    /: 57 bytes at 200 end beyond its 256$/,
  ],
  [
    "a flag that nobody sets",
    (_, burst) => burst.words[0] |= 4 << 24,
    /: nobody sets the flags 0x4$/,
  ],
  [
    "more who let go than held",
    (lab, burst) => lab.metadata.u32[lab.metadata.refcountWord(burst.words[0] & 0xff)] = 0xffffffff,
    /: it was freed by more than held it$/,
  ],
  [
    "holders that it does not know of",
    (lab, burst) => lab.metadata.u32[lab.metadata.refcountWord(burst.words[0] & 0xff)] = 1,
    /: 1 others hold it, which its descriptor does not say$/,
  ],
  ["itself behind it", (lab, burst) => lab.frames.chain(burst, 0, burst, 0), /a loop$/],
  [
    "a second segment that is none",
    (lab, burst) => lab.metadata.u32[lab.metadata.nextWord(burst.words[0] & 0xff)] = 77,
    /^segment 1, mbuf 77: there are 10 mbufs$/,
  ],
];

for (const [what, spoil, reason] of WRONG) {
  Deno.test(`Frames.check() tells of ${what}`, () => {
    using lab = new FramesLab(10);
    const burst = Burst.of(2);
    lab.make(burst, 0, [1]);
    lab.make(burst, 1, [2]);
    lab.frames.chain(burst, 0, burst, 1);
    equal(lab.frames.check(burst, 0), undefined);
    if (what === "itself behind it") {
      const next = lab.metadata.nextWord(burst.words[2] & 0xff);
      lab.metadata.u32.set(burst.words.subarray(0, 2), next);
      lab.metadata.u32[lab.metadata.nextWord(burst.words[0] & 0xff)] |= MORE;
    } else spoil(lab, burst);
    match(lab.frames.check(burst, 0) ?? "nothing", reason);
    lab.frames.length(burst, 0); // ends
    lab.frames.append(burst, 0, 1);
  });
}

Deno.test("no guest can feign a flag: the ledger strips what comes back", () => {
  const geometry = { offset: 0, stride: 256, count: 4 };
  const ledger = new Ledger(new SharedArrayBuffer(4), geometry, 1518, false);
  const burst = burstOf([2, dataWord(128, 60)]);
  ledger.lend(burst, 1, 0, true);
  burst.words[0] |= MORE | SHARED | 0x1f << DESCRIPTOR_FLAG.POOL_SHIFT;
  const taken = nothingTaken();
  equal(ledger.takeFrames(burst, 1, 0, Burst.of(1), taken), 1);
  equal(burst.words[0], 2);
  ledger.lend(burst, 1, 0, false);
  burst.words[0] |= SHARED;
  equal(ledger.takeEmpties(burst, 1, 0, taken), 1);
  equal(burst.words[0], 2);
});

/** A frame as the model has it: its bytes, and what it must free. */
interface ModelFrame {
  bytes: number[];
  segments: number[];
}

Deno.test("Frames does what arrays of bytes and counts of holders do, whatever the calls", () => {
  const call = fc.constantFrom(
    "make",
    "chain",
    "clone",
    "copy",
    "linearize",
    "append",
    "trim",
    "free",
  );
  const step = fc.tuple(call, fc.nat(7), fc.nat(7), fc.nat(130));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      using lab = new FramesLab(24);
      const { frames, pool } = lab;
      const burst = Burst.of(8);
      const model: (ModelFrame | undefined)[] = Array(8).fill(undefined);
      let stamp = 0;
      const indexesOf = (i: number) => {
        const indexes: number[] = [];
        for (let at = 2 * i, words: Uint32Array = burst.words;;) {
          indexes.push(words[at] & DESCRIPTOR.INDEX_MASK);
          if ((words[at] & MORE) === 0) return indexes;
          at = lab.metadata.nextWord(words[at] & DESCRIPTOR.INDEX_MASK);
          words = lab.metadata.u32;
        }
      };
      for (const [what, i, k, n] of steps) {
        const [frame, other] = [model[i], model[k]];
        if (what === "make" && !frame && pool.available > 0) {
          const bytes = Array.from({ length: Math.min(n, 100) }, () => stamp++ & 0xff);
          lab.make(burst, i, bytes);
          model[i] = { bytes, segments: indexesOf(i) };
        } else if (what === "chain" && frame && other && i !== k) {
          if (!frames.chain(burst, i, burst, k)) continue;
          frame.bytes.push(...other.bytes);
          frame.segments.push(...other.segments);
          model[k] = undefined;
        } else if (what === "clone" && frame && !other) {
          frames.clone(burst, i, burst, k);
          model[k] = { bytes: [...frame.bytes], segments: [...frame.segments] };
        } else if (what === "copy" && frame && !other) {
          const from = Math.min(n, frame.bytes.length);
          if (!frames.copy(burst, i, burst, k, from)) continue;
          model[k] = { bytes: frame.bytes.slice(from), segments: indexesOf(k) };
        } else if (what === "linearize" && frame) {
          if (!frames.linearize(burst, i)) continue;
          frame.segments = indexesOf(i);
          equal(frame.segments.length, 1);
          equal(frames.refcount(burst, i), 1);
        } else if (what === "append" && frame) {
          const before = frame.bytes.length;
          if (!frames.append(burst, i, n & 15)) continue;
          frame.bytes = lab.bytes(burst, i); // what was in the tailroom
          equal(frame.bytes.length, before + (n & 15));
        } else if (what === "trim" && frame) {
          if (!frames.trim(burst, i, n & 15)) continue;
          frame.bytes.length -= n & 15;
        } else if (what === "free" && frame) {
          frames.free(burst, 1, i);
          model[i] = undefined;
        }
        const holders = new Map<number, number>();
        for (const [j, each] of model.entries()) {
          if (!each) continue;
          equal(frames.check(burst, j), undefined);
          deepEqual(lab.bytes(burst, j), each.bytes, `frame ${j} after ${what}`);
          deepEqual(indexesOf(j), each.segments);
          for (const index of each.segments) holders.set(index, (holders.get(index) ?? 0) + 1);
        }
        for (const [j, each] of model.entries()) {
          if (each) equal(frames.refcount(burst, j), holders.get(each.segments[0]));
        }
        equal(pool.available, 24 - holders.size, `mbufs after ${what}`);
      }
    }),
    { numRuns: 150 },
  );
});
