import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { placeOf } from "./burst.ts";
import type { ElementBytes } from "./ring_size.ts";

/** The index of no word: what is to be published there is not. */
export const NO_WORD = 0xffffffff;

/**
 * From so many words on one call into the shim, which also publishes, is faster than the loop here
 * and a call that publishes.
 */
const WORDS_FOR_SHIM = 12;

/** Parts of the first argument of `shim_slots_copy`. */
const BURST_MAP = 11, SIZE = 22, SHIFT = 27, READ = 1 << 29;
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
  /** Elements that are worth a call. */
  readonly #least: number;
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
    this.#least = WORDS_FOR_SHIM >> this.#shift;
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
    if (burst === this.#burst && n >= this.#least && n <= this.#most) {
      return shim.shim_slots_copy(
        this.#route,
        this.#start,
        this.#burstWord,
        n,
        position >>> 0,
        word,
      ) === 1;
    }
    return this.#copyOther(position, burst, n, word);
  }

  #copyOther(position: number, burst: Uint32Array, n: number, word: number): boolean {
    if (burst !== this.#burst && burst !== this.#plain) {
      this.#learn(burst);
      return this.copy(position, burst, n, word);
    }
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
    return false;
  }

  #learn(burst: Uint32Array): void {
    const place = placeOf(burst);
    if (!place) {
      this.#plain = burst;
      return;
    }
    this.#burst = burst;
    this.#burstWord = place.word;
    this.#route = this.#route & ~(MAP_MASK << BURST_MAP) | place.map << BURST_MAP;
    this.#most = burst.length >> this.#shift;
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
