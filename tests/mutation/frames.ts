import type { Table } from "./mutants.ts";

const RACE = ["toolkit/multicast_stress_test.ts"];

/** Frames of several segments, or with several holders. */
export const FRAMES: Table = {
  what: "frames",
  tests: [
    "toolkit/frames_test.ts",
    "toolkit/frames_copy_test.ts",
    "toolkit/frames_check_test.ts",
    "toolkit/frames_property_test.ts",
  ],
  mutations: [
    {
      what: "the last holder is found in two steps",
      file: "toolkit/refcount.ts",
      from: "if (shim.shim_fetch_add(metadata.map, word, 0xffffffff) !== 0) return false;",
      to: "const others = othersOf(metadata, index);\n  shim.shim_yield();\n" +
        "  shim.shim_store_release(metadata.map, word, (others - 1) >>> 0);\n" +
        "  if (others !== 0) return false;",
      tests: RACE,
    },
    {
      what: "one of two references is taken for the last",
      file: "toolkit/refcount.ts",
      from: "if (othersOf(metadata, index) === 0) return true;",
      to: "if (othersOf(metadata, index) <= 1) return true;",
    },
    {
      what: "holders are added in two steps",
      file: "toolkit/refcount.ts",
      from: "shim.shim_fetch_add(metadata.map, metadata.refcountWord(index), more);",
      // Between them, now and then, the other has time to come.
      to: "const others = othersOf(metadata, index);\n" +
        "  if (others % 8192 === 0) " +
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);\n" +
        "  shim.shim_store_release(metadata.map, metadata.refcountWord(index), others + more);",
      tests: RACE,
    },
    {
      what: "the last of two who free at the same time leaves the count below none",
      file: "toolkit/refcount.ts",
      from: "shim.shim_store_release(metadata.map, word, 0);\n  return true;",
      to: "return true;",
      tests: RACE,
    },
    {
      what: "only the first segment is held",
      file: "toolkit/frames.ts",
      from: "shareMbuf(this.#metadata, index, more);\n      if ((words[at] & MORE) === 0) return;",
      to: "shareMbuf(this.#metadata, index, more);\n      return;",
    },
    {
      what: "what is shared is not marked so",
      file: "toolkit/frames.ts",
      from: "if ((words[at] & SHARED) === 0) words[at] |= SHARED;",
      to: "",
    },
    {
      what: "chain() changes what others hold",
      file: "toolkit/frames.ts",
      from: "if (!segments.isSole(word0)) return false;",
      to: "",
    },
    {
      what: "chain() does not mark what follows",
      file: "toolkit/frames.ts",
      from: "segments.words[segments.at] |= MORE;",
      to: "",
    },
    {
      what: "append() goes beyond the mbuf",
      file: "toolkit/frames.ts",
      from: "if (end > this.mbufs.room || ",
      to: "if (",
    },
    {
      what: "append() changes what others hold",
      file: "toolkit/frames.ts",
      from: "|| !segments.isSole(words[at])) return false;",
      to: ") return false;",
    },
    {
      what: "trim() cuts off more than there is",
      file: "toolkit/frames.ts",
      from: "if (n > word1 >>> 16 || !segments.mayChange) return false;",
      to: "if (!segments.mayChange) return false;",
    },
    {
      what: "trim() changes what others hold",
      file: "toolkit/frames.ts",
      from: "if (n > word1 >>> 16 || !segments.mayChange) return false;",
      to: "if (n > word1 >>> 16) return false;",
    },
    {
      what: "linearize() forgets what it has copied from",
      file: "toolkit/frames.ts",
      from: "this.#released.release(this.#metadata.u32[next], this.#metadata.u32[next + 1]);",
      to: "",
    },
    {
      what: "linearize() writes into what others hold",
      file: "toolkit/frames.ts",
      from: "if (isSole && offset + total <= this.mbufs.room) {",
      to: "if (offset + total <= this.mbufs.room) {",
    },
    {
      what: "the length of a frame is that of its first segment",
      file: "toolkit/segments.ts",
      from: "length += u32[next + 1] >>> 16;",
      to: "",
    },
    {
      what: "reading skips the first byte of each later segment",
      file: "toolkit/segments.ts",
      from: "offset = 0;",
      to: "offset = 1;",
    },
    {
      what: "check() takes a loop for a frame",
      file: "toolkit/frame_check.ts",
      from: "return `mbuf ${burst.words[i << 1] & INDEX_MASK}: its",
      to: "if (count > 0) return undefined;\n" +
        "  return `mbuf ${burst.words[i << 1] & INDEX_MASK}: its",
    },
    {
      what: "check() lets a segment end beyond its mbuf",
      file: "toolkit/frame_check.ts",
      from: "if (offset + length > room) {",
      to: "if (offset > room) {",
    },
    {
      what: "check() does not see holders that the descriptor does not tell of",
      file: "toolkit/frame_check.ts",
      from: "if ((word0 & SHARED) === 0 && others > 0) {",
      to: "if ((word0 & SHARED) === 0 && others > 1) {",
    },
    {
      what: "a copy loses all segments but the first",
      file: "toolkit/frame_copy.ts",
      from: "fresh[k << 1] |= DESCRIPTOR_FLAG.MORE;",
      to: "",
    },
    {
      what: "release() forgets the segments that follow",
      file: "toolkit/frame_release.ts",
      from: "if ((word0 & MORE) === 0) return;",
      to: "return;",
    },
    {
      what: "release() writes beyond its batch",
      file: "toolkit/frame_release.ts",
      from: "if (this.#batched === BATCH) this.flush();",
      to: "",
    },
  ],
};
