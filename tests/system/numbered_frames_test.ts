import assert from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES, MBUF_STRIDE_BYTES } from "../../app/memory/layout.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import {
  type Addresses,
  faultsOf,
  FOUND,
  FrameChecker,
  NumberedFrames,
} from "./numbered_frames.ts";
import { Burst } from "../../app/ring/burst.ts";

const SEED = 77;
const COUNT = 64;
const MBUF_BYTES = MBUF_STRIDE_BYTES;
const frames = new NumberedFrames(SEED);
const memory = MappedMemory.ofProcess(COUNT * MBUF_BYTES);
const mbufs = new Mbufs(memory, { offset: 0, stride: MBUF_BYTES, count: COUNT });

/** Frames of these numbers, written into mbufs. */
function written(numbers: number[]): Burst {
  const burst = Burst.of(numbers.length);
  numbers.forEach((number, i) => {
    burst.words[2 * i] = i;
    frames.write(mbufs, burst, i, number);
  });
  return burst;
}

/** What a checker that waits for frame 0 says of such a burst. */
function judged(burst: Burst, addresses: Addresses = "kept"): { next: number; why: string } {
  const checker = new FrameChecker(frames, mbufs, addresses);
  const next = checker.check(burst, burst.capacity, 0);
  return { next, why: faultsOf(checker.findings) };
}

/** The first number whose frame has so many bytes. */
function numberOf(bytes: number): number {
  let number = 0;
  while (frames.bytesOf(number) !== bytes) number++;
  return number;
}

Deno.test("numbered frames have all lengths from 60 to 1514 bytes, each about as often", () => {
  const seen = new Uint32Array(2000);
  for (let number = 0; number < 145_500; number++) seen[frames.bytesOf(number)]++;
  const lengths = [...seen.keys()].filter((bytes) => seen[bytes] > 0);
  assert.deepEqual([lengths.length, lengths[0], lengths.at(-1)], [1455, 60, 1514]);
  assert(lengths.every((bytes) => seen[bytes] > 40 && seen[bytes] < 200));
});

Deno.test("FrameChecker passes frames in order", () => {
  assert.deepEqual(judged(written([0, 1, 2, 3, 4, 5])), { next: 6, why: "" });
});

Deno.test("FrameChecker goes on behind 2^32 - 1 with 0", () => {
  const checker = new FrameChecker(frames, mbufs, "kept");
  const last = 0xffffffff;
  assert.equal(checker.check(written([last - 1, last, 0, 1]), 4, last - 1), 2);
  assert.equal(faultsOf(checker.findings), "");
});

Deno.test("FrameChecker.check() finds each flipped bit of a frame", () => {
  for (const bytes of [60, 61, 62, 63, 64, 999, 1514]) {
    const number = numberOf(bytes);
    const burst = written([number]);
    for (let bit = 0; bit < bytes * 8; bit++) {
      const checker = new FrameChecker(frames, mbufs, "kept");
      mbufs.u8[HEADROOM_BYTES + (bit >>> 3)] ^= 1 << (bit & 7);
      assert.equal(checker.check(burst, 1, number), number + 1);
      mbufs.u8[HEADROOM_BYTES + (bit >>> 3)] ^= 1 << (bit & 7);
      assert.equal(faultsOf(checker.findings), "1 with wrong bytes", `${bytes} bytes, bit ${bit}`);
    }
    assert(frames.matches(mbufs, HEADROOM_BYTES, bytes, number, "kept"));
  }
});

Deno.test("FrameChecker.check() looks at no byte behind the frame", () => {
  const burst = written([0]);
  mbufs.u8.fill(0xee, HEADROOM_BYTES + frames.bytesOf(0), MBUF_BYTES);
  assert.deepEqual(judged(burst), { next: 1, why: "" });
});

Deno.test("FrameChecker.check() finds a lost frame, and goes on behind it", () => {
  assert.deepEqual(judged(written([0, 1, 3, 4])), { next: 5, why: "1 lost" });
  assert.deepEqual(judged(written([9, 10])), { next: 11, why: "9 lost" });
});

Deno.test("FrameChecker.check() finds a duplicate", () => {
  assert.deepEqual(judged(written([0, 1, 1, 2])), { next: 3, why: "1 duplicated" });
  assert.deepEqual(judged(written([0, 1, 2, 0, 3])), { next: 4, why: "1 duplicated" });
});

Deno.test("FrameChecker.check() finds two frames that have changed places", () => {
  assert.deepEqual(judged(written([0, 2, 1, 3])), { next: 4, why: "1 reordered" });
  assert.deepEqual(judged(written([1, 0, 0])), { next: 2, why: "1 duplicated, 1 reordered" });
});

Deno.test("FrameChecker.check() finds a frame that is cut, or longer", () => {
  for (const more of [-1, 1]) {
    const burst = written([0, 1, 2]);
    burst.words[3] = dataWord(HEADROOM_BYTES, frames.bytesOf(1) + more);
    assert.deepEqual(judged(burst), { next: 3, why: "1 of wrong length" });
  }
});

Deno.test("FrameChecker.check() finds another frame's bytes under a number", () => {
  const burst = written([0, 1, 2]);
  mbufs.u32[(HEADROOM_BYTES + 2 * MBUF_BYTES >>> 2) + 4] = 3; // frame 2 says it is frame 3
  assert.deepEqual(judged(burst), { next: 3, why: "1 with wrong bytes" });
});

Deno.test("FrameChecker.check() finds frames of another seed", () => {
  const others = new NumberedFrames(SEED + 1);
  const checker = new FrameChecker(others, mbufs, "kept");
  checker.check(written([0, 1, 2]), 3, 0);
  assert.equal(checker.findings[FOUND.WRONG_BYTES] + checker.findings[FOUND.WRONG_LENGTH], 3);
});

Deno.test("FrameChecker.check() wants addresses to be swapped if they ought to be", () => {
  const burst = written([0, 1]);
  assert.deepEqual(judged(burst, "swapped"), { next: 2, why: "2 with wrong bytes" });
  for (const mbuf of [0, 1]) {
    const at = HEADROOM_BYTES + mbuf * MBUF_BYTES;
    const [to, from] = [mbufs.u8.slice(at, at + 6), mbufs.u8.slice(at + 6, at + 12)];
    mbufs.u8.set(from, at);
    mbufs.u8.set(to, at + 6);
  }
  assert.deepEqual(judged(burst, "swapped"), { next: 2, why: "" });
  assert.deepEqual(judged(burst, "kept"), { next: 2, why: "2 with wrong bytes" });
});
