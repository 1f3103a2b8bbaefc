import { cellsIn, dataWord, type MbufGeometry } from "../../app/mempool/mbuf.ts";
import type { Random } from "../kit/random.ts";

/** Numbers at the edges of what positions and states may be. */
const EDGES = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 63, 64, 1023, 1024, 1025],
  ...[0x7fffffff, 0x80000000, 0xffffffff],
];

/** Numbers with which a hostile guest lies. */
export class Lies {
  constructor(
    private readonly random: Random,
    private readonly mbufs: MbufGeometry,
  ) {}

  /** Any 32-bit number, often one of EDGES. */
  number(): number {
    const { random } = this;
    return random.below(2) === 0 ? random.pick(EDGES) : random.below(0xffffffff);
  }

  /** An mbuf index: one of `held`, any, into a long one, just beyond the last one, or none. */
  index(held: readonly number[]): number {
    const { random, mbufs } = this;
    const { count } = mbufs;
    switch (random.below(5)) {
      case 0:
        return random.below(count); // another guest's, maybe
      case 1:
        return (random.below(2) === 0 ? count : cellsIn(mbufs)) + random.below(40);
      case 2:
        return random.below(0xffffffff);
      default:
        return held.length > 0 ? random.pick(held) : 0;
    }
  }

  /** Offset and length of a frame, as a descriptor's second word: good, at the edges, or any. */
  place(): number {
    const { random, mbufs: { stride } } = this;
    switch (random.below(6)) {
      case 0:
        return random.below(0xffffffff);
      case 1:
        return dataWord(random.below(65536), random.below(65536));
      case 2:
        return dataWord(stride - random.below(64), random.below(1600));
      case 3:
        return dataWord(128, random.pick([0, 1, 13, 1523, 65535]));
      default:
        return dataWord(random.below(800), 14 + random.below(1500));
    }
  }
}
