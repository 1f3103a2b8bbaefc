import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cellsOfLong } from "../../app/memory/layout.ts";
import { cellsIn, type MbufGeometry } from "../../app/mempool/mbuf.ts";
import { CANARY, MBUF_HEAD, plain } from "../kit/canary.ts";
import type { Random } from "../kit/random.ts";

/** What a hostile guest writes into mbufs, and beside them. */
export class MbufHeads {
  constructor(
    private readonly memory: MappedMemory,
    private readonly mbufs: MbufGeometry,
    private readonly random: Random,
  ) {}

  /** A word at each mbuf's head that must not come later in a frame; canaries behind the last. */
  fill(): void {
    const { memory: { u32 }, mbufs } = this;
    const { offset, stride } = mbufs;
    const end = offset + cellsIn(mbufs) * stride;
    for (let byte = offset; byte < end; byte += stride) {
      if (this.#isHead(byte - offset)) u32[byte >>> 2] = MBUF_HEAD;
    }
    u32.fill(CANARY, end >>> 2);
  }

  /** Outside the mbufs write canaries; inside them none, as what is in mbufs may leave. */
  write(word: number, value: number): void {
    const { offset, stride } = this.mbufs;
    const { u32 } = this.memory;
    const inside = word * 4 - offset;
    if (inside < 0 || inside >= cellsIn(this.mbufs) * stride) {
      u32[word] = this.random.below(4) === 0 ? value : CANARY;
    } else u32[word] = this.#isHead(inside) ? MBUF_HEAD : plain(value);
  }

  /** Whether an mbuf, short or long, begins so many bytes behind the first one. */
  #isHead(bytes: number): boolean {
    const { stride, count } = this.mbufs;
    const cell = bytes / stride;
    return Number.isInteger(cell) && (cell < count || (cell - count) % cellsOfLong(stride) === 0);
  }
}
