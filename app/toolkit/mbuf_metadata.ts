import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { METADATA } from "../memory/layout.ts";

/** What a Worker needs to use the metadata on a mempool's mbufs; survives `postMessage`. */
export interface MbufMetadataHandle {
  /** The memory in which they are: the host's own, or a region's. */
  readonly memory: MappedMemoryHandle;
  /** Where they begin in it, in bytes. */
  readonly offset: number;
  /** How many mbufs have metadata. */
  readonly count: number;
}

/**
 * What {@linkcode Frames} keeps for each mbuf beside its descriptor: the number of references, and
 * the descriptor of the next segment. It is used only for descriptors with a flag, so that frames
 * of one segment and one reference never touch it. It is not in the mbuf, where a guest could
 * overwrite it.
 *
 * @example
 * ```ts
 * import { MbufMetadata } from "../api.ts";
 *
 * const metadata = MbufMetadata.create(1000);
 * const sameMetadata = new MbufMetadata(metadata.handle); // say, in a Worker
 * console.assert(sameMetadata.handle.count === 1000);
 * ```
 */
export class MbufMetadata {
  /** The memory's words. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** The shim's number for the memory. */
  readonly map: number;
  /** The index of the first word of mbuf 0's metadata. */
  readonly start: number;

  /** Use the metadata that `handle` describes. At first all of it is 0. */
  constructor(readonly handle: MbufMetadataHandle) {
    const memory = new MappedMemory(handle.memory);
    this.u32 = memory.u32;
    this.map = memory.map;
    this.start = handle.offset >>> 2;
  }

  /** Metadata for `count` mbufs, in memory that only this process sees. */
  static create(count: number): MbufMetadata {
    const memory = MappedMemory.ofProcess(MbufMetadata.bytes(count));
    return new MbufMetadata({ memory: memory.handle, offset: 0, count });
  }

  /** Bytes of memory for metadata of `count` mbufs. */
  static bytes(count: number): number {
    return count * METADATA.WORDS * 4;
  }

  /** The word with the number of references to mbuf `index`, less one. */
  refcountWord(index: number): number {
    return this.start + index * METADATA.WORDS + METADATA.REFCOUNT;
  }

  /** The first of the two words of the descriptor that follows mbuf `index`. */
  nextWord(index: number): number {
    return this.start + index * METADATA.WORDS + METADATA.NEXT;
  }
}
