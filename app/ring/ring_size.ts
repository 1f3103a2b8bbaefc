import { CulvertError } from "../../ffi/error.ts";

/** Whether a ring may have so many slots: a power of two from 2 to 2^24. */
export function isRingSize(size: number): boolean {
  return Number.isInteger(size) && size >= 2 && size <= 2 ** 24 && (size & (size - 1)) === 0;
}

/**
 * Check the number of slots of a ring.
 *
 * @throws {CulvertError} if it is not a power of two from 2 to 2^24.
 */
export function checkRingSize(size: number): void {
  if (!isRingSize(size)) {
    throw new CulvertError(
      `Cannot use a ring of ${size} slots: a power of two from 2 to ${2 ** 24} is wanted`,
    );
  }
}
