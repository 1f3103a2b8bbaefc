import { CulvertError } from "../../ffi/error.ts";

/**
 * Check the number of slots of a ring.
 *
 * @throws {CulvertError} if it is not a power of two from 2 to 2^24.
 */
export function checkRingSize(size: number): void {
  if (!Number.isInteger(size) || size < 2 || size > 2 ** 24 || (size & (size - 1)) !== 0) {
    throw new CulvertError(
      `Cannot use a ring of ${size} slots: a power of two from 2 to ${2 ** 24} is wanted`,
    );
  }
}
