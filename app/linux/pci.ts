import { check, CulvertError, FILE_ADVICE, UsageError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { readKernelFile } from "./kernel_file.ts";

const READ_WRITE = 1;

/** Vendor and device id of QEMU's ivshmem (docs/specs/ivshmem-spec.rst). */
const IVSHMEM_ID = "1af41110";

/** BARs: the registers, the MSI-X table of a device with interrupts, the shared memory. */
const REGISTER_BAR = 0, MSIX_BAR = 1, MEMORY_BAR = 2;

/** Of a base address: its place in a page, and the flags in its lowest bits. */
const PAGE_MASK = 0xfff, FLAGS_MASK = 0xf;

/** An ivshmem device in this VM. */
export interface IvshmemDevice {
  /** Such as `0000:00:04.0`. */
  readonly address: string;
  /** Bytes of shared memory. */
  readonly bytes: number;
  /** Whether it is an ivshmem-doorbell, not an ivshmem-plain. */
  readonly hasInterrupts: boolean;
  /** Where in their page its registers begin, in bytes: they are smaller than a page. */
  readonly registersOffset: number;
}

/**
 * Read `/proc/bus/pci/devices`: a line a device, in hexadecimal: bus (8) device (5) function (3);
 * vendor (16) device (16); irq; seven base addresses; seven sizes; driver.
 *
 * @returns the ivshmem devices in it, in the order of their addresses.
 */
export function parsePciDevices(text: string): IvshmemDevice[] {
  const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");
  return text.split("\n").map((line) => line.split(/\s+/)).filter(([, id]) => id === IVSHMEM_ID)
    .map((fields) => {
      const place = parseInt(fields[0], 16);
      const slot = `${hex((place >>> 3) & 31, 2)}.${place & 7}`;
      const sizeOf = (bar: number) => parseInt(fields[3 + 7 + bar], 16);
      return {
        address: `0000:${hex(place >>> 8, 2)}:${slot}`,
        bytes: sizeOf(MEMORY_BAR),
        hasInterrupts: sizeOf(MSIX_BAR) > 0,
        registersOffset: parseInt(fields[3 + REGISTER_BAR], 16) & PAGE_MASK & ~FLAGS_MASK,
      };
    }).sort((a, b) => a.address < b.address ? -1 : 1);
}

/**
 * The ivshmem devices of this machine, in the order of their addresses.
 *
 * @throws {ShimError} if /proc/bus/pci cannot be read.
 */
export function ivshmemDevices(): IvshmemDevice[] {
  return parsePciDevices(readKernelFile("/proc/bus/pci/devices"));
}

/**
 * Find an ivshmem device.
 *
 * @param address `auto` for the first one, or a PCI address.
 * @returns undefined if there is none.
 * @throws {UsageError} if that is no address.
 */
export function findIvshmem(address: string): IvshmemDevice | undefined {
  if (address !== "auto" && !/^[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.[0-7]$/.test(address)) {
    throw new UsageError(`Cannot use --pci ${address} as it is no address: auto or 0000:00:04.0`);
  }
  return ivshmemDevices().find((device) => address === "auto" || device.address === address);
}

/**
 * An ivshmem device that has to be there.
 *
 * @param address `auto` for the first one, or a PCI address.
 * @throws {CulvertError} if there is none.
 */
export function requireIvshmem(address: string): IvshmemDevice {
  const device = findIvshmem(address);
  if (device) return device;
  const found = ivshmemDevices().map((device) => device.address).join(", ") || "none";
  throw new CulvertError(
    `Cannot find an ivshmem device (1af4:1110)${address === "auto" ? "" : ` at ${address}`} as ` +
      `this machine has ${found}: start QEMU with -device ivshmem-plain, or use --region on the host`,
  );
}

/**
 * Map a device's shared memory.
 *
 * @throws {CulvertError} if the kernel had no room for it when the device was plugged in.
 */
export function mapMemory(device: IvshmemDevice): MappedMemory {
  if (device.bytes === 0) {
    throw new CulvertError(
      `Cannot use ivshmem device ${device.address} as its memory (BAR 2) has no address: give its ` +
        `pcie-root-port a larger window (pref64-reserve=8G, as culvert qemu --hotplug does)`,
    );
  }
  enable(device);
  return mapBar(device, MEMORY_BAR, device.bytes);
}

/** Map the first page of a device's shared memory, to see whether it holds a region. */
export function mapFirstPage(device: IvshmemDevice): MappedMemory {
  enable(device);
  return mapBar(device, MEMORY_BAR, PAGE_MASK + 1);
}

/** Map the page with a device's registers: they begin at `registersOffset`. */
export function mapRegisters(device: IvshmemDevice): MappedMemory {
  return mapBar(device, REGISTER_BAR, PAGE_MASK + 1);
}

/** Switch on the device's memory: nobody does that for a device that pciehp has plugged in. */
function enable({ address }: IvshmemDevice): void {
  const fd = shim.shim_file_open(cString(`/sys/bus/pci/devices/${address}/enable`), READ_WRITE);
  if (fd < 0) return; // if we may not, mapping says so
  shim.shim_file_write(fd, cString("1"), 1, 0); // EBUSY: it has a driver, which has done it
  shim.shim_fd_close(fd);
}

function mapBar({ address }: IvshmemDevice, bar: number, bytes: number): MappedMemory {
  const path = `/sys/bus/pci/devices/${address}/resource${bar}`;
  const fd = check(shim.shim_file_open(cString(path), READ_WRITE), `open ${path}`, FILE_ADVICE);
  try {
    return MappedMemory.ofFile(fd, bytes, path);
  } finally {
    shim.shim_fd_close(fd);
  }
}
