import { type Mutation, testMutations } from "./mutants.ts";

// Shows that the tests of frames of several segments, or with several holders, can fail.

const FRAMES = ["mempool/frames_test.ts"];
const FRAMES_RACE = ["mempool/multicast_stress_test.ts"];

const HOLDERS: readonly Mutation[] = [
  {
    what: "the last holder is found in two steps",
    file: "mempool/refcount.ts",
    from: "if (shim.shim_fetch_add(notes.map, word, 0xffffffff) !== 0) return false;",
    to: "const others = othersOf(notes, index);\n  shim.shim_yield();\n" +
      "  shim.shim_store_release(notes.map, word, (others - 1) >>> 0);\n" +
      "  if (others !== 0) return false;",
    tests: FRAMES_RACE,
  },
  {
    what: "who finds two holders takes himself for the last",
    file: "mempool/refcount.ts",
    from: "if (othersOf(notes, index) === 0) return true;",
    to: "if (othersOf(notes, index) <= 1) return true;",
  },
  {
    what: "holders are added in two steps",
    file: "mempool/refcount.ts",
    from: "shim.shim_fetch_add(notes.map, notes.refcountWord(index), more);",
    // Between them, now and then, the other has time to come.
    to: "const others = othersOf(notes, index);\n" +
      "  if (others % 8192 === 0) " +
      "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);\n" +
      "  shim.shim_store_release(notes.map, notes.refcountWord(index), others + more);",
    tests: FRAMES_RACE,
  },
  {
    what: "the last of two who free at the same time leaves the count below none",
    file: "mempool/refcount.ts",
    from: "shim.shim_store_release(notes.map, word, 0);\n  return true;",
    to: "return true;",
    tests: FRAMES_RACE,
  },
  {
    what: "only the first segment is held",
    file: "mempool/frames.ts",
    from: "addReferences(this.#notes, index, more);\n      if ((words[at] & MORE) === 0) return;",
    to: "addReferences(this.#notes, index, more);\n      return;",
  },
  {
    what: "what is shared is not marked so",
    file: "mempool/frames.ts",
    from: "if ((words[at] & SHARED) === 0) words[at] |= SHARED;",
    to: "",
  },
];

const SEGMENTS: readonly Mutation[] = [
  {
    what: "chain() changes what others hold",
    file: "mempool/frames.ts",
    from: "if (!segments.isSole(word0)) return false;",
    to: "",
  },
  {
    what: "chain() does not mark what follows",
    file: "mempool/frames.ts",
    from: "segments.words[segments.at] |= MORE;",
    to: "",
  },
  {
    what: "append() goes beyond the mbuf",
    file: "mempool/frames.ts",
    from: "if (end > this.mbufs.room || ",
    to: "if (",
  },
  {
    what: "append() changes what others hold",
    file: "mempool/frames.ts",
    from: "|| !segments.isSole(words[at])) return false;",
    to: ") return false;",
  },
  {
    what: "trim() cuts off more than there is",
    file: "mempool/frames.ts",
    from: "if (n > word1 >>> 16 || !segments.mayChange) return false;",
    to: "if (!segments.mayChange) return false;",
  },
  {
    what: "trim() changes what others hold",
    file: "mempool/frames.ts",
    from: "if (n > word1 >>> 16 || !segments.mayChange) return false;",
    to: "if (n > word1 >>> 16) return false;",
  },
  {
    what: "linearize() forgets what it has copied from",
    file: "mempool/frames.ts",
    from: "this.#released.release(this.#notes.u32[next], this.#notes.u32[next + 1]);",
    to: "",
  },
  {
    what: "linearize() writes into what others hold",
    file: "mempool/frames.ts",
    from: "if (isSole && offset + total <= this.mbufs.room) {",
    to: "if (offset + total <= this.mbufs.room) {",
  },
  {
    what: "the length of a frame is that of its first segment",
    file: "mempool/segments.ts",
    from: "length += u32[next + 1] >>> 16;",
    to: "",
  },
  {
    what: "reading skips the first byte of each later segment",
    file: "mempool/segments.ts",
    from: "offset = 0;",
    to: "offset = 1;",
  },
  {
    what: "check() takes a loop for a frame",
    file: "mempool/frame_check.ts",
    from: "return `mbuf ${burst[i << 1] & INDEX_MASK}: its",
    to: "if (count > 0) return undefined;\n  return `mbuf ${burst[i << 1] & INDEX_MASK}: its",
  },
  {
    what: "check() lets a segment end beyond its mbuf",
    file: "mempool/frame_check.ts",
    from: "if (offset + length > room) {",
    to: "if (offset > room) {",
  },
  {
    what: "check() does not see holders that the descriptor does not tell of",
    file: "mempool/frame_check.ts",
    from: "if ((word0 & SHARED) === 0 && others > 0) {",
    to: "if ((word0 & SHARED) === 0 && others > 1) {",
  },
  {
    what: "a copy loses all segments but the first",
    file: "mempool/frame_copy.ts",
    from: "fresh[k << 1] |= DESCRIPTOR_FLAG.MORE;",
    to: "",
  },
  {
    what: "release() forgets the segments that follow",
    file: "mempool/frame_release.ts",
    from: "if ((word0 & MORE) === 0) return;",
    to: "return;",
  },
  {
    what: "release() writes beyond its batch",
    file: "mempool/frame_release.ts",
    from: "if (this.#batched === BATCH) this.flush();",
    to: "",
  },
];

testMutations("frames", ["mempool"], FRAMES, [...HOLDERS, ...SEGMENTS]);
