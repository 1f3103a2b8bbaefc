import { CulvertError } from "../../ffi/error.ts";

/** Smallest region in bytes: QEMU wants at least a page, a host some mbufs. */
const REGION_MIN_BYTES: number = 1 << 20;

/** Largest region in bytes: the most that a WebAssembly memory can cover. */
const REGION_MAX_BYTES = 2 ** 32;

/**
 * Check a region's size.
 *
 * @throws {CulvertError} if it is not a power of two from 1 MiB to 4 GiB.
 */
export function checkRegionBytes(bytes: number, name: string): void {
  if (bytes < REGION_MIN_BYTES) {
    throw new CulvertError(
      `Cannot use region ${name} as it has ${bytes} bytes: 1 MiB is the least`,
    );
  }
  if (bytes > REGION_MAX_BYTES) {
    throw new CulvertError(
      `Cannot use region ${name} as it has ${bytes} bytes: 4 GiB is the most`,
    );
  }
  if (2 ** Math.round(Math.log2(bytes)) !== bytes) {
    throw new CulvertError(
      `Cannot use region ${name} as it has ${bytes} bytes: QEMU takes powers of two only; ` +
        `use 1M, 2M, 4M ... 4G`,
    );
  }
}
