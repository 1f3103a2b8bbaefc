import { CulvertError } from "../../ffi/error.ts";

/** Most slots of a ring. */
const SLOTS_MAX = 2 ** 24;

/** Bytes of an element: an mbuf index, a descriptor, or two of them. */
export type ElementBytes = 4 | 8 | 16;

/** Whether a ring may have so many slots: a power of two from 2 to 2^24. */
export function isRingSize(size: number): boolean {
  return Number.isInteger(size) && size >= 2 && size <= SLOTS_MAX && (size & (size - 1)) === 0;
}

/**
 * Check the number of slots of a ring.
 *
 * @throws {CulvertError} if it is not a power of two from 2 to 2^24.
 */
export function checkRingSize(size: number): void {
  if (!isRingSize(size)) {
    throw new CulvertError(
      `Cannot use a ring of ${size} slots: a power of two from 2 to ${SLOTS_MAX} is wanted`,
    );
  }
}

/**
 * Check how many of its `size` slots a ring is to use.
 *
 * @throws {CulvertError} if that is not a whole number from 1 to `size`.
 */
export function checkCapacity(capacity: number, size: number): void {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > size) {
    throw new CulvertError(
      `Cannot use a ring of ${size} slots with a capacity of ${capacity}: 1 to ${size} are possible`,
    );
  }
}

/** Whether a ring can have elements of so many bytes. */
export function isElementBytes(bytes: number): bytes is ElementBytes {
  return bytes === 4 || bytes === 8 || bytes === 16;
}

/**
 * Check the size of a ring's elements.
 *
 * @throws {CulvertError} if it is not 4, 8 or 16 bytes.
 */
export function checkElementBytes(bytes: number): void {
  if (!isElementBytes(bytes)) {
    throw new CulvertError(
      `Cannot use a ring with elements of ${bytes} bytes: 4, 8 or 16 are possible`,
    );
  }
}

/**
 * How many slots a ring needs that is to hold exactly `capacity` elements: the next power of two.
 * The ring is then made with that size and that capacity (DPDK `RING_F_EXACT_SZ`).
 *
 * @throws {CulvertError} if there is no such ring.
 *
 * @example
 * ```ts
 * import { Burst, MappedMemory, MpmcRing, slotsFor } from "../api.ts";
 *
 * const size = slotsFor(100);
 * const memory = MappedMemory.ofProcess(MpmcRing.bytes(size));
 * const ring = new MpmcRing(memory, 0, size, { capacity: 100 });
 * console.assert(size === 128 && ring.enqueueBurst(Burst.of(128, 4), 128) === 100);
 * ```
 */
export function slotsFor(capacity: number): number {
  const size = 2 ** Math.max(1, Math.ceil(Math.log2(capacity)));
  checkRingSize(size);
  checkCapacity(capacity, size);
  return size;
}
