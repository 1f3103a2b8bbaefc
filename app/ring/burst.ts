import { MappedMemory } from "../../ffi/mapped_memory.ts";

/** Frames that one turn of a loop moves in one direction, unless `--burst` says otherwise (DPDK l2fwd). */
export const BURST_DEFAULT = 32;

/** Most frames in a burst: `SHIM_BURST` in shim/shim.h. */
export const BURST_MAX = 256;

/** Words of this thread's next memory for bursts, unless one alone is longer. */
const ARENA_WORDS = 2 ** 14;

/** Bursts begin at cache lines. */
const CACHE_LINE_WORDS = 16;

/** Where a burst lies in mapped memory: the shim's number of that, and the burst's first word in it. */
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
 * Make an array for a burst, zeros at first, that rings copy quickest: it lies in memory that the shim
 * knows by a number. Passing V8's own arrays to C costs 8 ns, so those are copied element by element.
 *
 * The memory is taken for as long as the thread lives: make bursts while setting up, as many as are needed.
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
  if (!arena || used + words > arena.u32.length) {
    arena = MappedMemory.ofProcess(Math.max(words, ARENA_WORDS) * 4);
    used = 0;
  }
  const { buffer, byteOffset } = arena.u32;
  const burst = new Uint32Array(buffer, byteOffset + used * 4, words);
  places.set(burst, { map: arena.map, word: used });
  used += Math.ceil(words / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
  return burst;
}

/** Where a burst of {@linkcode newBurst} lies; undefined for any other array. */
export function placeOf(burst: Uint32Array): BurstPlace | undefined {
  return places.get(burst);
}
