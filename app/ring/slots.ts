import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { ElementBytes } from "./ring_size.ts";

/** The index of no word: what is to be published there is not. */
export const NO_WORD = 0xffffffff;

/**
 * From so many words on one call into the shim, which also publishes, is faster than the loop here
 * and a call that publishes: a buffer as an argument costs 8 ns, a word in the loop 0.4.
 */
const WORDS_FOR_SHIM = 24;

/**
 * A ring's slots, and the copying of bursts to and from them.
 *
 * Accesses in the loops here are plain. That V8 leaves them between the calls into the shim around
 * them, which load and store the positions, is what the ring's orderings rely on: such a call may
 * read and write all memory, as far as the compiler knows. So no load of a slot is made before the
 * position was loaded, and no store after the position was stored.
 */
export class Slots {
  /** The slots as 32-bit words. */
  readonly words: Uint32Array<SharedArrayBuffer>;

  readonly #map: number;
  readonly #start: number;
  /** Words of an element, as a shift. */
  readonly #shift: number;
  readonly #mask: number;

  /** `size` slots, a power of two, from word `start` of `memory` on. */
  constructor(memory: MappedMemory, start: number, size: number, elementBytes: ElementBytes) {
    const { buffer, byteOffset } = memory.u32;
    this.words = new Uint32Array(buffer, byteOffset + start * 4, (size * elementBytes) >>> 2);
    this.#map = memory.map;
    this.#start = start;
    this.#shift = elementBytes === 4 ? 0 : elementBytes === 8 ? 1 : 2;
    this.#mask = size - 1;
  }

  /**
   * Copy the first `n` elements of `burst` to the slots from `position` on.
   *
   * @param word The position to publish with release ordering, if it is `position` still, or
   * {@linkcode NO_WORD}.
   * @returns whether `position + n` has been published there; the caller does it if not.
   */
  write(position: number, burst: Uint32Array, n: number, word: number): boolean {
    const { words } = this;
    const at = (position & this.#mask) << this.#shift;
    const count = n << this.#shift;
    if (count >= WORDS_FOR_SHIM && count <= burst.length) {
      return shim.shim_slots_write(
        this.#map,
        this.#start,
        words.length,
        at,
        burst,
        count,
        word,
        position >>> 0,
        (position + n) >>> 0,
      ) === 1;
    }
    const toEnd = words.length - at;
    if (count <= toEnd) {
      copyWords(words, at, burst, 0, count);
    } else {
      copyWords(words, at, burst, 0, toEnd);
      copyWords(words, 0, burst, toEnd, count - toEnd);
    }
    return false;
  }

  /**
   * Copy the `n` elements of the slots from `position` on to the start of `burst`; as
   * {@linkcode write}.
   */
  read(position: number, burst: Uint32Array, n: number, word: number): boolean {
    const { words } = this;
    const at = (position & this.#mask) << this.#shift;
    const count = n << this.#shift;
    if (count >= WORDS_FOR_SHIM && count <= burst.length) {
      return shim.shim_slots_read(
        this.#map,
        this.#start,
        words.length,
        at,
        burst,
        count,
        word,
        position >>> 0,
        (position + n) >>> 0,
      ) === 1;
    }
    const toEnd = words.length - at;
    if (count <= toEnd) {
      copyWords(burst, 0, words, at, count);
    } else {
      copyWords(burst, 0, words, at, toEnd);
      copyWords(burst, toEnd, words, 0, count - toEnd);
    }
    return false;
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
