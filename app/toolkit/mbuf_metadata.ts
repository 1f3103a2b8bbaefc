import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { NOTE } from "../memory/layout.ts";

/** What a Worker needs to use the metadata on a mempool's mbufs; survives `postMessage`. */
export interface MbufMetadataHandle {
  /** The memory in which they are: the host's own, or a region's. */
  readonly memory: MappedMemoryHandle;
  /** Where they begin in it, in bytes. */
  readonly offset: number;
  /** Mbufs noted on. */
  readonly count: number;
}

/**
 * What must be remembered of an mbuf beside its descriptor, for {@linkcode Frames}: how many hold
 * it, and the descriptor of the segment that follows. Only descriptors with a flag ask for it, so
 * that frames of one segment and one holder never touch it; and it is not in the mbuf, where a
 * guest could spoil it.
 *
 * @example
 * ```ts
 * import { MbufMetadata } from "../api.ts";
 *
 * const metadata = MbufMetadata.create(1000);
 * // In a Worker that was posted the handle:
 * const sameMetadata = new MbufMetadata(metadata.handle);
 * console.assert(sameMetadata.handle.count === 1000);
 * ```
 */
export class MbufMetadata {
  /** The memory's words. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** The shim's number for the memory. */
  readonly map: number;
  /** The first word of the first note. */
  readonly start: number;

  /** Use the metadata that `handle` describes. They are zeros at first. */
  constructor(readonly handle: MbufMetadataHandle) {
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
   * import { Frames, MappedMemory, MbufMetadata, Mbufs, Mempool } from "../api.ts";
   *
   * const memory = MappedMemory.ofProcess(1 << 20);
   * const mbufs = new Mbufs(memory, { offset: 0, stride: 2368, count: 100 });
   * const frames = new Frames(Mempool.create(100), mbufs, MbufMetadata.create(100));
   * console.assert(frames.pool.available === 100);
   * ```
   */
  static create(count: number): MbufMetadata {
    const memory = MappedMemory.ofProcess(MbufMetadata.bytes(count));
    return new MbufMetadata({ memory: memory.handle, offset: 0, count });
  }

  /**
   * Bytes of memory for metadata on `count` mbufs.
   *
   * @example
   * ```ts
   * import { MappedMemory, MbufMetadata } from "../api.ts";
   *
   * const memory = MappedMemory.ofProcess(4096 + MbufMetadata.bytes(100));
   * const metadata = new MbufMetadata({ memory: memory.handle, offset: 4096, count: 100 });
   * console.assert(metadata.start === 1024 && metadata.map === memory.map);
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
   * import { MbufMetadata } from "../api.ts";
   *
   * const metadata = MbufMetadata.create(100);
   * console.assert(metadata.u32[metadata.refcountWord(7)] === 0, "mbuf 7 has one holder");
   * ```
   */
  refcountWord(index: number): number {
    return this.start + index * NOTE.WORDS + NOTE.HOLDERS;
  }

  /**
   * The first of the two words of the descriptor that follows mbuf `index`.
   *
   * @example
   * ```ts
   * import { dataWord, MbufMetadata } from "../api.ts";
   *
   * const metadata = MbufMetadata.create(100);
   * metadata.u32.set([9, dataWord(128, 64)], metadata.nextWord(7)); // mbuf 9 follows mbuf 7
   * console.assert(metadata.u32[metadata.nextWord(7)] === 9);
   * ```
   */
  nextWord(index: number): number {
    return this.start + index * NOTE.WORDS + NOTE.NEXT;
  }
}
