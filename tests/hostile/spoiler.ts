import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { DESCRIPTOR, HEADROOM_BYTES, SUPER_HEADER } from "../../app/memory/layout.ts";
import type { MbufGeometry } from "../../app/mempool/mbuf.ts";
import { plain } from "../kit/canary.ts";
import type { Random } from "../kit/random.ts";

/** Spoils offload headers, and the headers of packets, in some places. */
export class Spoiler {
  /** Word indexes in the region. */
  readonly #words: number[] = [];

  constructor(
    private readonly memory: MappedMemory,
    private readonly mbufs: MbufGeometry,
    private readonly random: Random,
  ) {}

  /** A super-frame that is to be spoiled: a place in either header. */
  add(word0: number): void {
    const { random, mbufs: { offset, stride } } = this;
    const start = offset + (word0 & DESCRIPTOR.INDEX_MASK) * stride;
    this.#words.push((start + SUPER_HEADER.START) / 4 + random.below(3));
    this.#words.push((start + HEADROOM_BYTES) / 4 + random.below(20));
  }

  /** Write other words to a third of the places. */
  spoil(): void {
    const { random, memory: { u32 } } = this;
    for (const word of this.#words) {
      const bit = 1 << random.below(32);
      if (random.below(3) === 0) u32[word] = plain(random.below(2) === 0 ? u32[word] ^ bit : bit);
    }
  }
}
