import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { placeOf } from "./burst.ts";
import type { ElementBytes } from "./ring_size.ts";

/** The index of no word: what is to be published there is not. */
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

/**
 * The copying of bursts to a ring's slots, or from them.
 *
 * Accesses in the loop here are plain. That V8 leaves them between the calls into the shim around
 * them, which load and store the positions, is what the ring's orderings rely on: such a call may
 * read and write all memory, as far as the compiler knows. So no load of a slot is made before the
 * position was loaded, and no store after the position was stored. The same keeps the caller's stores
 * to a burst before the call that copies it, and the loads of what was copied behind it, though that
 * call is given numbers only.
 */
export class SlotsCopy {
  readonly #words: Uint32Array;
  readonly #start: number;
  /** Words of an element, as a shift. */
  readonly #shift: number;
  readonly #mask: number;
  readonly #reads: boolean;
  /** The burst of `newBurst()` that was copied last, and what the shim is to know of it. */
  #burst?: Uint32Array;
  #burstWord = 0;
  #route: number;
  /** Elements that it has. */
  #most = 0;
  /** The burst that was copied last, if it is none of those. */
  #plain?: Uint32Array;

  /** To the slots, or from them. */
  constructor(place: SlotsPlace, direction: "write" | "read") {
    const { memory, start, size, elementBytes } = place;
    this.#words = slotWords(place);
    this.#start = start;
    this.#shift = elementBytes === 4 ? 0 : elementBytes === 8 ? 1 : 2;
    this.#mask = size - 1;
    this.#reads = direction === "read";
    const words = Math.log2(size) + this.#shift;
    this.#route = memory.map | words << SIZE | this.#shift << SHIFT | (this.#reads ? READ : 0);
  }

  /**
   * Copy the first `n` elements of `burst` to the slots from `position` on, or from there.
   *
   * @param word The position to publish with release ordering, if it is `position` still, or
   * {@linkcode NO_WORD}.
   * @returns whether `position + n` has been published there; the caller does it if not.
   */
  copy(position: number, burst: Uint32Array, n: number, word: number): boolean {
    if (!this.isKnown(burst, n)) {
      this.#copyHere(position, burst, n);
      return false;
    }
    const start = this.#start, turn = position >>> 0;
    return shim.shim_slots_copy(this.#route, start, this.#burstWord, n, turn, word) === 1;
  }

  /**
   * Move the head, the word before `word`, from `position` to `position + n`, with full ordering;
   * then do as {@linkcode copy} does.
   *
   * @returns 1 if `position + n` has been published at `word`, 0 if the caller has to; less if
   * nothing was done: the head was elsewhere, or the copy is none for the shim.
   */
  claimAndCopy(position: number, burst: Uint32Array, n: number, word: number): number {
    if (!this.isKnown(burst, n)) return -1;
    const start = this.#start, turn = position >>> 0;
    return shim.shim_slots_copy(this.#route | CLAIM, start, this.#burstWord, n, turn, word);
  }

  // Private but not #: V8 checks a brand at each call of a #method, which costs 2 ns.

  /** Whether the shim knows the burst, and that it has so many elements. */
  private isKnown(burst: Uint32Array, n: number): boolean {
    return (burst === this.#burst || this.#learn(burst)) && n <= this.#most;
  }

  #learn(burst: Uint32Array): boolean {
    if (burst === this.#plain) return false;
    const place = placeOf(burst);
    if (!place) {
      this.#plain = burst;
      return false;
    }
    this.#burst = burst;
    this.#burstWord = place.word;
    this.#route = this.#route & ~(MAP_MASK << BURST_MAP) | place.map << BURST_MAP;
    this.#most = burst.length >> this.#shift;
    return true;
  }

  #copyHere(position: number, burst: Uint32Array, n: number): void {
    const words = this.#words;
    const at = (position & this.#mask) << this.#shift;
    const count = n << this.#shift;
    const first = Math.min(count, words.length - at);
    if (this.#reads) {
      copyWords(burst, 0, words, at, first);
      copyWords(burst, first, words, 0, count - first);
    } else {
      copyWords(words, at, burst, 0, first);
      copyWords(words, 0, burst, first, count - first);
    }
  }
}

function copyWords(
  target: Uint32Array,
  to: number,
  source: Uint32Array,
  from: number,
  count: number,
): void {
  for (const end = from + count; from < end; from++, to++) target[to] = source[from];
}
