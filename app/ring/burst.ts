import { MappedMemory } from "../../ffi/mapped_memory.ts";

/** Frames that one turn of a loop moves in one direction, unless `--burst` says otherwise (l2fwd). */
export const BURST_DEFAULT = 32;

/** Most frames in a burst: `SHIM_BURST` in shim/shim.h. */
export const BURST_MAX = 256;

/** Words of a memory for bursts; a longer burst gets one of its own. */
const ARENA_WORDS = 2 ** 14;

/** Bursts begin at cache lines. */
const CACHE_LINE_WORDS = 16;

/** Where a burst lies in mapped memory. */
export interface BurstPlace {
  /** The shim's number of the memory. */
  readonly map: number;
  /** Where in it the burst begins. */
  readonly word: number;
}

const places = new WeakMap<Uint32Array, BurstPlace>();

let arena: MappedMemory | undefined;
let used = 0;

/**
 * Make an array for a burst, zeros at first, that rings copy quickest: it lies in memory that the
 * shim knows by a number. Other arrays are copied word by word: to hand one of V8's own to C costs as
 * much as copying 24 words.
 *
 * The memory is taken for as long as the process lives: make bursts while setting up, and use them
 * again.
 *
 * @param words Its length: two for each descriptor.
 * @throws {ShimError} if there is not enough memory.
 *
 * @example
 * ```ts
 * import { newBurst } from "./burst.ts";
 *
 * const burst = newBurst(2 * 32); // 32 descriptors
 * console.assert(burst.length === 64 && burst[63] === 0);
 * ```
 */
export function newBurst(words: number): Uint32Array<SharedArrayBuffer> {
  if (words > ARENA_WORDS) return burstIn(MappedMemory.ofProcess(words * 4), 0, words);
  if (!arena || used + words > ARENA_WORDS) {
    arena = MappedMemory.ofProcess(ARENA_WORDS * 4);
    used = 0;
  }
  const burst = burstIn(arena, used, words);
  used += Math.ceil(words / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
  return burst;
}

function burstIn(
  memory: MappedMemory,
  word: number,
  words: number,
): Uint32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = memory.u32;
  const burst = new Uint32Array(buffer, byteOffset + word * 4, words);
  places.set(burst, { map: memory.map, word });
  return burst;
}

/** Where a burst of {@linkcode newBurst} lies; undefined for any other array. */
export function placeOf(burst: Uint32Array): BurstPlace | undefined {
  return places.get(burst);
}
