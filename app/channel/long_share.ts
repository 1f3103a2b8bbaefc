import { cellsOfLong, DESCRIPTOR } from "../memory/layout.ts";
import type { MbufGeometry } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import { codeOf } from "./ledger.ts";

/**
 * How many of a region's long mbufs each guest may hold: all have the same share, so that a guest
 * that keeps all that it is lent does not have the super-frames of others cut. The mbufs that a
 * guest holds are counted in the ledger, as they are few, and only when super-frames are lent.
 */
export class LongShare {
  readonly #owners: Uint8Array<SharedArrayBuffer>;
  readonly #first: number;
  readonly #cells: number;

  /**
   * For the long mbufs that `geometry` has.
   *
   * @param owners The ledger's record.
   * @param most Long mbufs that one guest may hold; `Infinity` for no limit.
   */
  constructor(owners: SharedArrayBuffer, geometry: MbufGeometry, private readonly most: number) {
    this.#owners = new Uint8Array(owners);
    this.#first = geometry.count;
    this.#cells = cellsOfLong(geometry.stride);
  }

  /** How many long mbufs `guest` holds beyond its share. */
  beyond(guest: number): number {
    if (this.most === Infinity) return 0;
    const owners = this.#owners;
    const code = codeOf(guest);
    let held = 0;
    for (let at = this.#first; at < owners.length; at += this.#cells) {
      if (owners[at] === code || owners[at] === code + 1) held++;
    }
    return held > this.most ? held - this.most : 0;
  }

  /** Whether descriptor number `at` of a burst is of a long mbuf. */
  isLong(burst: Burst, at: number): boolean {
    return (burst.words[at << 1] & DESCRIPTOR.INDEX_MASK) >= this.#first;
  }
}
