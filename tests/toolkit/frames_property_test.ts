import { deepEqual, equal } from "node:assert/strict";
import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { FramesLab } from "./frames_lab.ts";
import fc from "fast-check";
import { Burst } from "../../app/ring/burst.ts";

const { MORE } = DESCRIPTOR_FLAG;

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
