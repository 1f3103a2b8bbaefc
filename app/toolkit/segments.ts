import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../memory/layout.ts";
import { othersOf } from "./refcount.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import type { MbufMetadata } from "./mbuf_metadata.ts";

const { INDEX_MASK } = DESCRIPTOR;
const { MORE, SHARED } = DESCRIPTOR_FLAG;

/**
 * Walks over the segments of a frame, for {@linkcode Frames}: from a descriptor to the metadata of
 * its mbuf, which have the next descriptor. A walk ends after as many steps as there are mbufs: the
 * segments may form a loop.
 */
export class Segments {
  /** The words with the descriptor of a frame's last segment; {@linkcode findLast} sets this. */
  words: Uint32Array;
  /** The index of that descriptor's first word. */
  at = 0;
  /** Whether nobody else may be using that descriptor. */
  mayChange = true;

  /** Segments that lie in `mbufs`, with their metadata. */
  constructor(readonly mbufs: Mbufs, readonly metadata: MbufMetadata) {
    this.words = metadata.u32;
  }

  /** Whether the mbuf of a descriptor has one reference. */
  isSole(word0: number): boolean {
    return (word0 & SHARED) === 0 || othersOf(this.metadata, word0 & INDEX_MASK) === 0;
  }

  /** Make `word0` and `word1` the descriptor that follows mbuf `index`. */
  link(index: number, word0: number, word1: number): void {
    const next = this.metadata.nextWord(index);
    this.metadata.u32[next] = word0;
    this.metadata.u32[next + 1] = word1;
  }

  /** Mbufs that frame `i` of `burst` consists of. */
  count(burst: Burst, i: number): number {
    let n = 1;
    let word0 = burst.words[i << 1];
    while ((word0 & MORE) !== 0 && n < this.mbufs.count) {
      word0 = this.metadata.u32[this.metadata.nextWord(word0 & INDEX_MASK)];
      n++;
    }
    return n;
  }

  /** Bytes of frame `i` of `burst`. */
  length(burst: Burst, i: number): number {
    const { u32 } = this.metadata;
    let word0 = burst.words[i << 1];
    let length = burst.words[(i << 1) + 1] >>> 16;
    for (let left = this.mbufs.count; (word0 & MORE) !== 0 && left > 0; left--) {
      const next = this.metadata.nextWord(word0 & INDEX_MASK);
      word0 = u32[next];
      length += u32[next + 1] >>> 16;
    }
    return length;
  }

  /** Find the descriptor of the last segment of frame `i` of `burst`. */
  findLast(burst: Burst, i: number): void {
    this.words = burst.words;
    this.at = i << 1;
    this.mayChange = true;
    for (let left = this.mbufs.count; left > 0; left--) {
      const word0 = this.words[this.at];
      if ((word0 & MORE) === 0) return;
      // The metadata of a segment belong to all references to it.
      this.mayChange = this.isSole(word0);
      this.words = this.metadata.u32;
      this.at = this.metadata.nextWord(word0 & INDEX_MASK);
    }
    this.mayChange = false;
  }

  /**
   * Copy up to `count` bytes of a frame from its byte `offset` on to byte `to` of `into`; returns
   * how many.
   */
  gather(
    burst: Burst,
    i: number,
    offset: number,
    into: Uint8Array,
    to: number,
    count: number,
  ): number {
    const { u8 } = this.mbufs;
    let [word0, word1] = [burst.words[i << 1], burst.words[(i << 1) + 1]];
    let done = 0;
    for (let left = this.mbufs.count; done < count && left > 0; left--) {
      const length = word1 >>> 16;
      if (offset < length) {
        const from = this.mbufs.frameByte(word0, word1) + offset;
        const n = Math.min(length - offset, count - done);
        into.set(u8.subarray(from, from + n), to + done);
        done += n;
        offset = 0;
      } else {
        offset -= length;
      }
      if ((word0 & MORE) === 0) break;
      const next = this.metadata.nextWord(word0 & INDEX_MASK);
      [word0, word1] = [this.metadata.u32[next], this.metadata.u32[next + 1]];
    }
    return done;
  }
}
