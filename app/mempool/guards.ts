import type { Mbufs } from "./mbuf.ts";

/** Bytes of guard in front of the first mbuf and at the end of each, in a mempool for debugging. */
export const GUARD_BYTES = 64;

/** What a guard is filled with. */
const COOKIE = 0x600dca5e;

/**
 * Words of half a guard. An overrun of its mbuf reaches the first half first, an underrun of the
 * next mbuf the second.
 */
const HALF = GUARD_BYTES / 8;

/** Bytes that somebody wrote where no frame may be. */
export interface Damage {
  /** `overrun`: beyond the mbuf's room. `underrun`: in front of its headroom. */
  readonly kind: "overrun" | "underrun";
  /** The first of them, in bytes from the mbuf's start: negative in front of it. */
  readonly byte: number;
  /** Bytes from the first to the last of them. */
  readonly bytes: number;
}

/**
 * Cookies around mbufs (DPDK: header and trailer cookies of `RTE_LIBRTE_MEMPOOL_DEBUG`). They show
 * a write beyond an mbuf's room when the mbuf is allocated or freed next, and are then restored.
 */
export class Guards {
  readonly #mbufs: Mbufs;

  /**
   * Watch over mbufs that have {@linkcode GUARD_BYTES} of guard each, and in front of the first.
   */
  constructor(mbufs: Mbufs) {
    this.#mbufs = mbufs;
  }

  /** Fill all guards, in a mempool that nobody uses yet. */
  fill(): void {
    const { u32, offset, stride, room, count } = this.#mbufs;
    u32.fill(COOKIE, (offset - GUARD_BYTES) >>> 2, offset >>> 2);
    for (let index = 0; index < count; index++) {
      const start = (offset + index * stride + room) >>> 2;
      u32.fill(COOKIE, start, start + 2 * HALF);
    }
  }

  /** What was written around mbuf `index` since the last check; undefined if nothing was. */
  check(index: number): Damage | undefined {
    const { room } = this.#mbufs;
    return this.#checkHalf(index, "overrun", room) ??
      this.#checkHalf(index, "underrun", -GUARD_BYTES / 2);
  }

  #checkHalf(index: number, kind: Damage["kind"], byte: number): Damage | undefined {
    const { u32, u8, offset, stride } = this.#mbufs;
    const start = offset + index * stride + byte;
    let isWhole = true;
    for (let word = start >>> 2, end = word + HALF; word < end; word++) {
      isWhole = isWhole && u32[word] === COOKIE;
    }
    if (isWhole) return undefined;
    const changed = [...u8.subarray(start, start + 4 * HALF).entries()]
      .filter(([i, value]) => value !== (COOKIE >>> 8 * (i & 3) & 0xff))
      .map(([i]) => i);
    u32.fill(COOKIE, start >>> 2, (start >>> 2) + HALF);
    if (changed.length === 0) return undefined;
    return { kind, byte: byte + changed[0], bytes: changed.at(-1)! - changed[0] + 1 };
  }
}
