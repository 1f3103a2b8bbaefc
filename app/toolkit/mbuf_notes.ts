import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { NOTE } from "../memory/layout.ts";

/** What a Worker needs to use the notes on a mempool's mbufs; survives `postMessage`. */
export interface MbufNotesHandle {
  /** The memory in which they are: the host's own, or a region's. */
  readonly memory: MappedMemoryHandle;
  /** Where they begin in it, in bytes. */
  readonly offset: number;
  /** Mbufs noted on. */
  readonly count: number;
}

/**
 * What must be remembered of an mbuf beside its descriptor, for {@linkcode Frames}: how many hold it, and
 * the descriptor of the segment that follows. Only descriptors with a flag ask for it, so that frames of one
 * segment and one holder never touch it; and it is not in the mbuf, where a guest could spoil it.
 *
 * @example
 * ```ts
 * import { MbufNotes } from "../api.ts";
 *
 * const notes = MbufNotes.create(1000);
 * const sameNotes = new MbufNotes(notes.handle); // in earnest: in a Worker that was posted the handle
 * console.assert(sameNotes.handle.count === 1000);
 * ```
 */
export class MbufNotes {
  /** The memory's words. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** The shim's number for the memory. */
  readonly map: number;
  /** The first word of the first note. */
  readonly start: number;

  /** Use the notes that `handle` describes. They are zeros at first. */
  constructor(readonly handle: MbufNotesHandle) {
    const memory = new MappedMemory(handle.memory);
    this.u32 = memory.u32;
    this.map = memory.map;
    this.start = handle.offset >>> 2;
  }

  /**
   * Notes on `count` mbufs in memory that only this process sees.
   *
   * @example
   * ```ts
   * import { Frames, MappedMemory, MbufNotes, Mbufs, Mempool } from "../api.ts";
   *
   * const mbufs = new Mbufs(MappedMemory.ofProcess(1 << 20), { offset: 0, stride: 2368, count: 100 });
   * const frames = new Frames(Mempool.create(100), mbufs, MbufNotes.create(100));
   * console.assert(frames.pool.available === 100);
   * ```
   */
  static create(count: number): MbufNotes {
    const memory = MappedMemory.ofProcess(MbufNotes.bytes(count));
    return new MbufNotes({ memory: memory.handle, offset: 0, count });
  }

  /**
   * Bytes of memory for notes on `count` mbufs.
   *
   * @example
   * ```ts
   * import { MappedMemory, MbufNotes } from "../api.ts";
   *
   * const memory = MappedMemory.ofProcess(4096 + MbufNotes.bytes(100));
   * const notes = new MbufNotes({ memory: memory.handle, offset: 4096, count: 100 });
   * console.assert(notes.start === 1024 && notes.map === memory.map);
   * ```
   */
  static bytes(count: number): number {
    return count * NOTE.WORDS * 4;
  }

  /**
   * The word that counts who holds mbuf `index`, besides one.
   *
   * @example
   * ```ts
   * import { MbufNotes } from "../api.ts";
   *
   * const notes = MbufNotes.create(100);
   * console.assert(notes.u32[notes.holdersWord(7)] === 0, "who holds mbuf 7 holds it alone");
   * ```
   */
  holdersWord(index: number): number {
    return this.start + index * NOTE.WORDS + NOTE.HOLDERS;
  }

  /**
   * The first of the two words of the descriptor that follows mbuf `index`.
   *
   * @example
   * ```ts
   * import { dataWord, MbufNotes } from "../api.ts";
   *
   * const notes = MbufNotes.create(100);
   * notes.u32.set([9, dataWord(128, 64)], notes.nextWord(7)); // mbuf 9 follows mbuf 7
   * console.assert(notes.u32[notes.nextWord(7)] === 9);
   * ```
   */
  nextWord(index: number): number {
    return this.start + index * NOTE.WORDS + NOTE.NEXT;
  }
}
