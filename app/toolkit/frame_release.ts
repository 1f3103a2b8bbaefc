import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../memory/layout.ts";
import { letGo } from "./refcount.ts";
import type { MbufMetadata } from "./mbuf_metadata.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { Burst } from "../ring/burst.ts";

const { MORE, SHARED } = DESCRIPTOR_FLAG;

/** Mbufs that are freed at a time. */
const BATCH = 64;

/** Frees frames, for {@linkcode Frames}: mbufs without another reference go back by the batch. */
export class FrameRelease {
  readonly #pool: Mempool;
  readonly #metadata: MbufMetadata;
  readonly #batch = Burst.of(BATCH);
  #batched = 0;

  /** Mbufs go back to `pool`; `metadata` has the numbers of their references. */
  constructor(pool: Mempool, metadata: MbufMetadata) {
    this.#pool = pool;
    this.#metadata = metadata;
  }

  /** Free a frame with all its segments; call {@linkcode flush} after the last one. */
  release(word0: number, word1: number): void {
    const { u32 } = this.#metadata;
    for (let left = this.#metadata.handle.count; left > 0; left--) {
      const index = word0 & DESCRIPTOR.INDEX_MASK;
      // The next descriptor is read before another owner can change it.
      const next = this.#metadata.nextWord(index);
      const [next0, next1] = (word0 & MORE) === 0 ? [0, 0] : [u32[next], u32[next + 1]];
      if ((word0 & SHARED) === 0 || letGo(this.#metadata, index)) {
        if (this.#batched === BATCH) this.flush();
        const at = this.#batched++ << 1;
        this.#batch.words[at] = word0 & ~(MORE | SHARED);
        this.#batch.words[at + 1] = word1;
      }
      if ((word0 & MORE) === 0) return;
      [word0, word1] = [next0, next1];
    }
  }

  /** Free what is in the batch. */
  flush(): void {
    if (this.#batched > 0) this.#pool.free(this.#batch, this.#batched);
    this.#batched = 0;
  }
}
