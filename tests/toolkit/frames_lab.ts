import { Frames } from "../../app/toolkit/frames.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { MbufMetadata } from "../../app/toolkit/mbuf_metadata.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** Mbufs of a test: 128 bytes of headroom, 128 of data room. */
export const STRIDE = 256;

/** A mempool with its mbufs and metadata, all unmapped at the end of one test. */
export class FramesLab {
  readonly pool: Mempool;
  readonly mbufs: Mbufs;
  readonly metadata: MbufMetadata;
  readonly frames: Frames;
  readonly #memory: MappedMemory;

  constructor(readonly total: number) {
    this.#memory = MappedMemory.ofProcess(total * STRIDE);
    this.pool = Mempool.create(total, 0);
    this.metadata = MbufMetadata.create(total);
    this.mbufs = new Mbufs(this.#memory, { offset: 0, stride: STRIDE, count: total }, false);
    this.frames = new Frames(this.pool, this.mbufs, this.metadata);
  }

  /** A frame of one segment with these bytes, as number `i` of `burst`. */
  make(burst: Burst, i: number, bytes: readonly number[], offset = 128): void {
    if (this.pool.allocBulk(burst, 1, i) === 0) throw new Error("the mempool is empty");
    burst.words[2 * i + 1] = dataWord(offset, bytes.length);
    this.mbufs.u8.set(bytes, this.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1]));
  }

  /** The bytes of a frame, all segments together. */
  bytes(burst: Burst, i: number): number[] {
    const bytes = new Uint8Array(this.frames.length(burst, i));
    this.frames.read(burst, i, bytes);
    return [...bytes];
  }

  [Symbol.dispose](): void {
    this.#memory.close();
    for (const { memory } of [this.pool.handle, this.metadata.handle]) {
      new MappedMemory(memory).close();
    }
  }
}
