import { deepEqual, equal, throws } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, EMPTY_DATA, Mbufs, MbufView } from "../../app/mempool/mbuf.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { burstOf } from "../kit/burst_of.ts";

const GEOMETRY = { offset: 4096, stride: 256, count: 16 };

Deno.test("dataWord() puts the offset into the low half and the length into the high", () => {
  equal(dataWord(0x1234, 0x5678), 0x56781234);
  equal(dataWord(0xffff, 0xffff), 0xffffffff);
  equal(dataWord(HEADROOM_BYTES, 0), EMPTY_DATA);
});

Deno.test("Mbufs.frameByte() finds the first and the last byte, whatever the flags", () => {
  using memory = freshMemory(8192);
  const mbufs = new Mbufs(memory, GEOMETRY);
  equal(mbufs.frameByte(0, dataWord(0, 64)), 4096);
  equal(mbufs.frameByte(0xff000000 | 15, dataWord(255, 1)), 8191);
});

Deno.test("Mbufs sees the same memory as words, halves and bytes", () => {
  using memory = freshMemory(8192);
  const mbufs = new Mbufs(memory, GEOMETRY);
  mbufs.u32[2047] = 0x04030201;
  equal(mbufs.u16[4095], 0x0403);
  equal(mbufs.u8[8191], 4);
});

Deno.test("Mbufs refuses cells that reach beyond the memory", () => {
  using memory = freshMemory(8192);
  throws(() => new Mbufs(memory, { ...GEOMETRY, count: 17 }), {
    name: "ShimError",
    message: "Cannot use 17 mbufs of 256 bytes as the kernel says ERANGE",
  });
});

Deno.test("Mbufs.prefetch() survives descriptors outside its cells", () => {
  using memory = freshMemory(8192);
  new Mbufs(memory, GEOMETRY).prefetch(burstOf([0, 0, 16, 0, 0xffffff, 0xffffffff]), 3);
});

Deno.test("Mbufs that are not for ports leave the shim with those that are", () => {
  using memory = freshMemory(8192);
  equal(new Mbufs(memory, { ...GEOMETRY, count: 3 }).isForPorts, true);
  const others = new Mbufs(memory, GEOMETRY, false);
  equal(others.isForPorts, false);
  others.prefetch(burstOf([0, 0]), 1); // does nothing
  const [from, to] = [burstOf([4, 64 << 16]), burstOf([0, 0])]; // mbuf 4 is one of the others
  const maps = memory.map | memory.map << 16, bursts = from.map | to.map << 16;
  equal(shim.shim_frames_copy(maps, bursts, from.word, to.word, 1), 0);
});

/** A view of descriptor 1 of a burst of two: mbuf 3 with `length` bytes at `offset`. */
function viewOf(offset: number, length: number) {
  const memory = freshMemory(8192);
  const burst = burstOf([9, 9, 0xa8000003, dataWord(offset, length)]);
  const view = new MbufView(new Mbufs(memory, GEOMETRY)).moveTo(burst, 1);
  return { view, burst, [Symbol.dispose]: () => memory.close() };
}

Deno.test("MbufView tells index, length and the room on both sides", () => {
  using test = viewOf(100, 60);
  const { index, length, headroom, tailroom, byte } = test.view;
  deepEqual({ index, length, headroom, tailroom, byte }, {
    index: 3,
    length: 60,
    headroom: 100,
    tailroom: 96,
    byte: 4096 + 3 * 256 + 100,
  });
  equal(test.view.bytes().byteOffset, byte);
  equal(test.view.bytes().length, 60);
});

const CHANGES = [
  ["prepend", 100, 0, 160],
  ["append", 96, 100, 156],
  ["adjust", 60, 160, 0],
  ["trim", 60, 100, 0],
] as const;

for (const [change, most, headroom, length] of CHANGES) {
  Deno.test(`MbufView.${change}() goes as far as there is room, and not a byte more`, () => {
    using test = viewOf(100, 60);
    const before = test.burst.words.slice();
    equal(test.view[change](most + 1), false);
    deepEqual(test.burst.words, before, "nothing changed");
    equal(test.view[change](0), true);
    deepEqual(test.burst.words, before);
    equal(test.view[change](most), true);
    equal(test.view.headroom, headroom);
    equal(test.view.length, length);
    deepEqual(
      [...test.burst.words.subarray(0, 3)],
      [9, 9, 0xa8000003],
      "only its own word 1 changed",
    );
  });
}

Deno.test("MbufView moves over a burst", () => {
  using test = viewOf(100, 60);
  test.view.moveTo(test.burst, 0);
  equal(test.view.index, 9);
  test.burst.words.set([1, dataWord(1, 2)]);
  equal(test.view.length, 2);
});
