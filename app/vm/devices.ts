/**
 * The PCI devices of a Culvert guest, as QEMU arguments: regions (ivshmem), the IOMMU that their
 * interrupts need, and empty slots for regions that come later.
 *
 * @module
 */

import { MSIX_VECTORS_MAX } from "../ivshmem/vectors.ts";

/** Most empty slots: pcie.0 has 32 places, and some are taken. */
export const SLOTS_MAX = 16;

/** A region as QEMU finds it: its file (`ivshmem-plain`) or its server (`ivshmem-doorbell`). */
export type RegionDevice =
  | {
    /** A path in /dev/shm or on hugetlbfs, or `/proc/PID/fd/N` for a memfd. */
    readonly file: string;
    /** The region's size: a power of two, at least a page (4096). */
    readonly bytes: number;
  }
  | {
    /** The UNIX socket of an ivshmem server, which must be running. */
    readonly socket: string;
    /** Interrupts that the device has. */
    readonly vectors: number;
  };

const PAGE_BYTES = 4096;

/**
 * The arguments for the region number `index`: backend or character device `culvertN`, then the
 * device.
 *
 * The memory is `share=on`, so both sides see the same pages.
 *
 * @param isMaster Whether migration takes the region's content along; if not, QEMU refuses to
 * migrate.
 * @throws {RangeError} If the size is not a power of two of at least 4096, or there is no vector or
 * more than {@linkcode MSIX_VECTORS_MAX}.
 */
export function ivshmemDevice(device: RegionDevice, index: number, isMaster: boolean): string[] {
  const id = `culvert${index}`;
  const master = isMaster ? ",master=on" : "";
  if ("file" in device) {
    checkRegionBytes(device.bytes);
    const path = escapeComma(device.file);
    return [
      "-object",
      `memory-backend-file,id=${id},share=on,mem-path=${path},size=${device.bytes}`,
      "-device",
      `ivshmem-plain,memdev=${id}${master}`,
    ];
  }
  checkVectors(device.vectors);
  return [
    "-chardev",
    `socket,path=${escapeComma(device.socket)},id=${id}`,
    "-device",
    `ivshmem-doorbell,chardev=${id},vectors=${device.vectors}${master}`,
  ];
}

/**
 * The IOMMU without which the guest's vfio would not hand out interrupts. `intremap=on` is QEMU's
 * default where it is possible; stated, it makes QEMU refuse an impossible combination at once.
 */
export function interruptIommu(): string[] {
  return ["-device", "intel-iommu,intremap=on"];
}

/**
 * Empty slots into which regions can be plugged: `culvert-slot1` and so on. The firmware reserves 8
 * GiB of addresses for each, since without it there is room for 2 MiB, and less than 4 GiB is badly
 * aligned.
 *
 * @throws {RangeError} If there are more than {@linkcode SLOTS_MAX}.
 */
export function emptySlots(count: number): string[] {
  if (!Number.isSafeInteger(count) || count < 0 || count > SLOTS_MAX) {
    throw new RangeError(`Cannot give the guest ${count} empty slots: pass 0 to ${SLOTS_MAX}`);
  }
  return Array.from({ length: count }, (_, i) => [
    "-device",
    `pcie-root-port,id=culvert-slot${i + 1},chassis=${i + 1},pref64-reserve=8G`,
  ]).flat();
}

/** Whether a path is that of a name in /dev/shm: libvirt's shared memory has no other place. */
export function isNamedShm(path: string): boolean {
  return /^\/dev\/shm\/[^/]+$/.test(path);
}

/** QEMU splits option values at commas; a doubled one stands for itself. */
export function escapeComma(value: string): string {
  return value.replaceAll(",", ",,");
}

function checkRegionBytes(bytes: number): void {
  if (bytes >= PAGE_BYTES && 2 ** Math.round(Math.log2(bytes)) === bytes) return;
  throw new RangeError(
    `Cannot give the guest a region of ${bytes} bytes: ` +
      `QEMU wants a power of two, ${PAGE_BYTES} or more`,
  );
}

function checkVectors(vectors: number): void {
  if (Number.isSafeInteger(vectors) && vectors > 0 && vectors <= MSIX_VECTORS_MAX) return;
  throw new RangeError(
    `Cannot give the guest a device with ${vectors} vectors: pass 1 to ${MSIX_VECTORS_MAX}`,
  );
}
