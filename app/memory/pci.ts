import { check, CulvertError, UsageError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { readKernelFile } from "./kernel_file.ts";

/** Vendor and device id of QEMU's ivshmem (docs/specs/ivshmem-spec.rst). */
const IVSHMEM_ID = "1af41110";

/** The BAR that is the shared memory. */
const MEMORY_BAR = 2;

/** An ivshmem device in this VM. */
export interface IvshmemDevice {
  /** Such as `0000:00:04.0`. */
  readonly address: string;
  /** Bytes of shared memory. */
  readonly bytes: number;
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
      return {
        address: `0000:${hex(place >>> 8, 2)}:${slot}`,
        bytes: parseInt(fields[3 + 7 + MEMORY_BAR], 16),
      };
    }).sort((a, b) => a.address < b.address ? -1 : 1);
}

/**
 * Map the shared memory of an ivshmem device through sysfs.
 *
 * @param address `auto` for the first one, or a PCI address.
 * @throws {CulvertError} if there is none.
 */
export function openPciMemory(address: string): { memory: MappedMemory; address: string } {
  if (address !== "auto" && !/^[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.[0-7]$/.test(address)) {
    throw new UsageError(`Cannot use --pci ${address} as it is no address: auto or 0000:00:04.0`);
  }
  const devices = parsePciDevices(readKernelFile("/proc/bus/pci/devices"));
  const device = address === "auto" ? devices[0] : devices.find((d) => d.address === address);
  if (!device) {
    throw new CulvertError(
      `Cannot find an ivshmem device (1af4:1110)${address === "auto" ? "" : ` at ${address}`} as ` +
        `this machine has ${devices.map((d) => d.address).join(", ") || "none"}: start QEMU with ` +
        `-device ivshmem-plain, or use --region on the host`,
    );
  }
  const path = `/sys/bus/pci/devices/${device.address}/resource${MEMORY_BAR}`;
  const fd = check(shim.shim_file_open(cString(path), 1), `open ${path}`);
  try {
    const memory = MappedMemory.ofFile(fd, device.bytes, path);
    return { memory, address: device.address };
  } finally {
    shim.shim_fd_close(fd);
  }
}
