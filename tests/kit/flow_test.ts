/**
 * What a forwarder between sender and checker can do to frames is found by the checker.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Burst } from "../../app/ring/burst.ts";
import { FlowChecker, type Gap, noWrongs } from "./flow_checker.ts";
import { type Addresses, BYTES_MAX, BYTES_MIN, FlowFrames } from "./flow_frame.ts";

const STRIDE = 2368, FRAMES = 64, FLOW = 2;

/** Frames 0 to 63 of a flow in memory, for a test to spoil, and a checker to pass them to. */
class FlowLab {
  readonly mbufs: Mbufs;
  readonly burst = Burst.of(FRAMES);
  readonly gaps: Gap[] = [];
  readonly checker: FlowChecker;

  constructor({ flow = FLOW, run = 7, addresses = "kept" as Addresses } = {}) {
    const memory = MappedMemory.ofProcess(1 << 18);
    this.mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: FRAMES });
    const frames = new FlowFrames(run);
    for (let number = 0; number < FRAMES; number++) {
      this.burst.words[number << 1] = number;
      frames.write(this.mbufs, this.burst, number, { flow, number, stamp: 100 + number });
    }
    const onGap = (gap: Gap) => this.gaps.push(gap);
    this.checker = new FlowChecker(new FlowFrames(7), FLOW, addresses, onGap);
  }

  /** The byte where frame `number` starts, and how many it has. */
  place(number: number): [byte: number, bytes: number] {
    const [word0, word1] = this.burst.words.subarray(number << 1, (number << 1) + 2);
    return [this.mbufs.frameByte(word0, word1), word1 >>> 16];
  }

  /** Pass these frames to the checker, in this order. */
  pass(...numbers: number[]): FlowChecker {
    for (const number of numbers) this.checker.check(this.mbufs, ...this.place(number));
    return this.checker;
  }
}

Deno.test("FlowChecker counts frames that come as they were sent as right", () => {
  const { wrongs, received, foreign, tag, next } = new FlowLab().pass(0, 1, 2, 3);
  assert.deepEqual([wrongs, received, foreign, next], [noWrongs(), 4, 0, 4]);
  assert.deepEqual(tag, { flow: FLOW, number: 3, stamp: 103 });
});

Deno.test("FlowChecker finds each flipped bit of frames of each length modulo four", () => {
  const lab = new FlowLab();
  let corrupted = 0, foreign = 0;
  for (const number of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const [byte, bytes] = lab.place(number);
    for (let bit = 0; bit < 8 * bytes; bit++) {
      const at = bit >>> 3;
      lab.mbufs.u8[byte + at] ^= 1 << (bit & 7);
      lab.checker.check(lab.mbufs, byte, bytes);
      lab.mbufs.u8[byte + at] ^= 1 << (bit & 7);
      if (at === 12 || at === 13) foreign++;
      else corrupted++;
      const found = [lab.checker.wrongs.corrupted, lab.checker.foreign];
      assert.deepEqual(found, [corrupted, foreign], `frame ${number}, byte ${at}`);
    }
  }
  const lengths = new Set([0, 1, 2, 3, 4, 5, 6, 7].map((number) => lab.place(number)[1] % 4));
  assert.equal(lengths.size, 4);
});

Deno.test("FlowChecker looks at no byte behind the frame", () => {
  const lab = new FlowLab();
  const [byte, bytes] = lab.place(0);
  lab.mbufs.u8.fill(0xee, byte + bytes, byte + bytes + 8);
  assert.equal(lab.pass(0).received, 1);
});

Deno.test("FlowChecker finds frames that were cut short, lengthened or moved by a byte", () => {
  const lab = new FlowLab();
  const [byte, bytes] = lab.place(1);
  for (const by of [-4, -1, 1, 4]) lab.checker.check(lab.mbufs, byte, bytes + by);
  assert.equal(lab.checker.wrongs.corrupted, 4);
  lab.mbufs.u8.copyWithin(byte + 1, byte, byte + bytes);
  lab.checker.check(lab.mbufs, byte + 1, bytes);
  assert.equal(lab.checker.wrongs.corrupted, 5);
});

Deno.test("FlowChecker wants swapped addresses where they should be swapped, and only there", () => {
  const swap = (lab: FlowLab) => {
    const [byte] = lab.place(0);
    const head = lab.mbufs.u8.slice(byte, byte + 12);
    lab.mbufs.u8.set([...head.subarray(6), ...head.subarray(0, 6)], byte);
    return lab.pass(0).wrongs.corrupted;
  };
  assert.equal(swap(new FlowLab({ addresses: "swapped" })), 0);
  assert.equal(swap(new FlowLab({ addresses: "kept" })), 1);
  assert.equal(new FlowLab({ addresses: "swapped" }).pass(0).wrongs.corrupted, 1);
});

Deno.test("FlowChecker finds a frame that comes twice, at once and later", () => {
  const { wrongs, received } = new FlowLab().pass(0, 1, 1, 2, 3, 0);
  assert.deepEqual(wrongs, { ...noWrongs(), duplicated: 2 });
  assert.equal(received, 4);
});

Deno.test("FlowChecker finds frames that others overtook, and tells them from repeated ones", () => {
  const { wrongs, received } = new FlowLab().pass(0, 3, 1, 2, 1);
  assert.deepEqual(wrongs, { ...noWrongs(), reordered: 2, duplicated: 1 });
  assert.equal(received, 2);
});

Deno.test("FlowChecker finds frames that never come, those at the end when it is settled", () => {
  const lab = new FlowLab();
  const { wrongs, received } = lab.pass(0, 1, 5);
  lab.checker.settle(9);
  assert.deepEqual(lab.gaps, [{ first: 2, end: 5 }, { first: 6, end: 9 }]);
  assert.deepEqual([wrongs, received, lab.checker.next], [noWrongs(), 3, 9]);
  assert.equal(lab.checker.missing, 6);
  lab.pass(7);
  assert.equal(wrongs.reordered, 1, "nothing may come after that");
});

Deno.test("FlowChecker finds frames of a flow that ends elsewhere, and tells those of another run", () => {
  assert.deepEqual(new FlowLab({ flow: 3 }).pass(0).wrongs, { ...noWrongs(), misdelivered: 1 });
  assert.equal(new FlowLab({ run: 8 }).pass(0).foreign, 1);
});

Deno.test("Frames of a flow have each length once before one is repeated", () => {
  for (const bytesMax of [BYTES_MAX, 9014, BYTES_MIN]) {
    const frames = new FlowFrames(1, bytesMax);
    const count = bytesMax - BYTES_MIN + 1;
    const lengths = new Set(Array.from({ length: count }, (_, number) => frames.bytesOf(number)));
    assert.equal(lengths.size, count);
    assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [BYTES_MIN, bytesMax]);
  }
});
