import { CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { DESCRIPTOR } from "../memory/layout.ts";
import { checkElementBytes, type ElementBytes } from "./ring_size.ts";

/**
 * Frames that one turn of a loop moves in one direction, unless `--burst` says otherwise (l2fwd).
 */
export const BURST_DEFAULT = 32;

/** Most frames in a burst: `SHIM_BURST` in shim/shim.h. */
export const BURST_MAX = 256;

/** Words of one memory from which bursts are cut; a longer burst gets a memory of its own. */
const ARENA_WORDS = 2 ** 14;

/** Bursts begin at cache lines. */
const CACHE_LINE_WORDS = 16;

let arena: MappedMemory | undefined;
let used = 0;

/** All memories that this thread has taken for bursts. */
const taken: MappedMemory[] = [];

/**
 * A fixed number of elements that rings, mempools and ports fill, move and empty together: 8-byte
 * descriptors by default.
 *
 * A burst lies in memory that the shim knows by a number, so that one call copies it. That memory
 * stays taken until {@linkcode closeBursts}: make bursts while setting up, and use them again.
 *
 * A method that takes a burst takes `(burst, count, at = 0)`: elements `at` to `at + count - 1`. It
 * throws, with nothing done, if the burst is shorter than that.
 *
 * @example
 * ```ts
 * import { Burst, Mempool } from "../api.ts";
 *
 * const pool = Mempool.create(1000);
 * const burst = Burst.of(32);
 * pool.allocBulk(burst, 2); // descriptors 0 and 1
 * pool.allocBulk(burst, 30, 2); // and the others
 * for (let i = 0; i < burst.capacity; i++) {
 *   console.assert(burst.words[2 * i] < 1000, "the mbuf index is in the first word");
 * }
 * ```
 */
export class Burst {
  /** {@linkcode words} if the elements are descriptors; if not, an empty array. */
  readonly descriptorWords: Uint32Array<SharedArrayBuffer>;
  /**
   * The same memory, each descriptor as one number of 8 bytes, to be moved only: its value means
   * nothing.
   */
  readonly descriptors: Float64Array<SharedArrayBuffer>;
  /** Elements in use, for code that passes a burst on with its count. Nothing here reads it. */
  count = 0;

  private constructor(
    /** The elements as words, zeros at first: element `i` begins at word `i * wordsPerElement`. */
    readonly words: Uint32Array<SharedArrayBuffer>,
    /** Elements that there is room for. */
    readonly capacity: number,
    /** Words of an element: 1, 2 or 4. */
    readonly wordsPerElement: number,
    /** The shim's number of the memory. */
    readonly map: number,
    /** Where in that memory the burst begins, in words. */
    readonly word: number,
  ) {
    const { buffer, byteOffset } = words;
    const descriptors = wordsPerElement === DESCRIPTOR.WORDS ? capacity : 0;
    this.descriptorWords = words.subarray(0, descriptors * DESCRIPTOR.WORDS);
    this.descriptors = new Float64Array(buffer, byteOffset, descriptors);
  }

  /**
   * Make a burst.
   *
   * @param capacity Elements that there is room for.
   * @param elementBytes Bytes of each.
   * @throws {CulvertError} if a burst cannot have so many elements, or of that size, or there is
   * too little memory.
   */
  static of(capacity: number, elementBytes: ElementBytes = 8): Burst {
    checkElementBytes(elementBytes);
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new CulvertError(
        `Cannot make a burst of ${capacity} elements: a whole number from 1 on is wanted`,
      );
    }
    const width = elementBytes / 4;
    const words = capacity * width;
    const { memory, word } = takeWords(words);
    const { buffer, byteOffset } = memory.u32;
    const view = new Uint32Array(buffer, byteOffset + word * 4, words);
    return new Burst(view, capacity, width, memory.map, word);
  }
}

/**
 * Check that a burst has elements `at` to `at + count - 1`, of `width` words each.
 *
 * @throws {CulvertError} if not.
 */
export function checkBurst(burst: Burst, width: number, count: number, at: number): void {
  if (burst.wordsPerElement !== width || at < 0 || count > burst.capacity - at) {
    refuse(burst, width, count, at);
  }
}

/**
 * The words of a burst that has the descriptors `at` to `at + count - 1`. Cheaper than
 * {@linkcode checkBurst}, which counts where bursts are short: V8 needs this length anyway.
 *
 * @throws {CulvertError} if the burst has no such descriptors.
 */
export function descriptorWordsOf(
  burst: Burst,
  count: number,
  at: number,
): Uint32Array<SharedArrayBuffer> {
  const words = burst.descriptorWords;
  if (at < 0 || (at + count) * 2 > words.length) refuse(burst, DESCRIPTOR.WORDS, count, at);
  return words;
}

/** As {@linkcode descriptorWordsOf}, but each descriptor as one number, to be moved only. */
export function descriptorsOf(
  burst: Burst,
  count: number,
  at: number,
): Float64Array<SharedArrayBuffer> {
  const { descriptors } = burst;
  if (at < 0 || at + count > descriptors.length) refuse(burst, DESCRIPTOR.WORDS, count, at);
  return descriptors;
}

function refuse({ capacity, wordsPerElement }: Burst, width: number, count: number, at: number) {
  throw new CulvertError(
    `Cannot use elements ${at} to ${at + count - 1}, of ${width * 4} bytes, of a burst as it has ` +
      `${capacity}, of ${wordsPerElement * 4} bytes: make it by Burst.of(${at + count}, ${
        width * 4
      })`,
  );
}

function takeWords(words: number): { memory: MappedMemory; word: number } {
  if (words > ARENA_WORDS) return { memory: take(words), word: 0 };
  if (!arena || used + words > ARENA_WORDS) {
    arena = take(ARENA_WORDS);
    used = 0;
  }
  const word = used;
  used += Math.ceil(words / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
  return { memory: arena, word };
}

function take(words: number): MappedMemory {
  const memory = MappedMemory.ofProcess(words * 4);
  taken.push(memory);
  return memory;
}

/** Give back the memory of all bursts that this thread has made: none may be used after that. */
export function closeBursts(): void {
  for (const memory of taken.splice(0)) memory.close();
  arena = undefined;
}
