import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { type Burst, checkBurst } from "./burst.ts";
import type { ElementBytes } from "./ring_size.ts";

/** In the place of a word's index: nothing is published. */
export const NO_WORD = 0xffffffff;

/** Parts of the first argument of `shim_slots_copy`. */
const BURST_MAP = 11, SIZE = 22, SHIFT = 27, READ = 1 << 29, CLAIM = 1 << 30;
const MAP_MASK = 0x7ff;

/** Where a ring's slots lie: `size` of them, a power of two, from word `start` of `memory` on. */
export interface SlotsPlace {
  /** The ring's memory. */
  readonly memory: MappedMemory;
  /** First word of the first slot. */
  readonly start: number;
  /** Slots. */
  readonly size: number;
  /** Bytes of each. */
  readonly elementBytes: ElementBytes;
}

/** A ring's slots as 32-bit words. */
export function slotWords(
  { memory, start, size, elementBytes }: SlotsPlace,
): Uint32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = memory.u32;
  return new Uint32Array(buffer, byteOffset + start * 4, (size * elementBytes) >>> 2);
}

/** Write one element from word `at` of a ring's slots on; words beyond its `width` are left out. */
export function writeElement(
  slots: Uint32Array,
  at: number,
  width: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number,
): void {
  slots[at] = word0;
  if (width === 1) return;
  slots[at + 1] = word1;
  if (width === 2) return;
  slots[at + 2] = word2;
  slots[at + 3] = word3;
}

/**
 * The copying of bursts to a ring's slots, or from them: one call into the shim each.
 *
 * What the shim has to know of a burst is kept from one call to the next, as a ring mostly copies
 * the same burst. That saves one nanosecond of some fifteen.
 *
 * The caller's loads and stores of a burst are plain. V8 never moves them across the call, though
 * it is given numbers only: as far as the compiler knows, a call may read and write all memory. So
 * what the caller stored before the call is copied, and what was copied is loaded after it.
 */
export class SlotsCopy {
  readonly #start: number;
  /** Words of an element, as a shift. */
  readonly #shift: number;
  /** The first argument of `shim_slots_copy`. */
  #route: number;
  /** The burst in use, where it begins, and how many elements it has. */
  #burst?: Burst;
  #word = 0;
  #capacity = 0;

  /** Copy to the slots, or from them. */
  constructor({ memory, start, size, elementBytes }: SlotsPlace, direction: "write" | "read") {
    this.#start = start;
    this.#shift = elementBytes === 4 ? 0 : elementBytes === 8 ? 1 : 2;
    const words = Math.log2(size) + this.#shift;
    const read = direction === "read" ? READ : 0;
    this.#route = memory.map | words << SIZE | this.#shift << SHIFT | read;
  }

  /**
   * From now on, copy elements of `burst`.
   *
   * @throws {CulvertError} if the burst does not have elements `at` to `at + count - 1`, or has
   * elements of another size.
   */
  use(burst: Burst, count: number, at: number): void {
    if (burst !== this.#burst) this.learn(burst);
    if (at < 0 || count > this.#capacity - at) checkBurst(burst, 1 << this.#shift, count, at);
  }

  /**
   * Copy `n` elements of the burst in use, from element `at` on, to the slots from `position` on,
   * or from there.
   *
   * @param word Where to publish `position + n` with release ordering, if `position` still stands
   * there; or {@linkcode NO_WORD}.
   * @returns whether `position + n` has been published; if not, the caller does it.
   */
  copy(position: number, n: number, at: number, word: number): boolean {
    const from = this.#word + (at << this.#shift);
    const turn = position >>> 0;
    return shim.shim_slots_copy(this.#route, this.#start, from, n, turn, word) === 1;
  }

  /**
   * Move the head, the word before `word`, from `position` to `position + n`, with full ordering;
   * then do as {@linkcode copy} does.
   *
   * @returns 1 if `position + n` has been published at `word`, 0 if the caller has to; less if
   * nothing was done, as the head was elsewhere.
   */
  claimAndCopy(position: number, n: number, at: number, word: number): number {
    const from = this.#word + (at << this.#shift);
    const turn = position >>> 0;
    return shim.shim_slots_copy(this.#route | CLAIM, this.#start, from, n, turn, word);
  }

  /** Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns. */
  private learn(burst: Burst): void {
    checkBurst(burst, 1 << this.#shift, 0, 0);
    this.#burst = burst;
    this.#word = burst.word;
    this.#capacity = burst.capacity;
    this.#route = this.#route & ~(MAP_MASK << BURST_MAP) | burst.map << BURST_MAP;
  }
}
