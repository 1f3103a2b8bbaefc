/**
 * A PCI device's interrupts as eventfds, by vfio (Linux Documentation/driver-api/vfio.rst,
 * include/uapi/linux/vfio.h). Nothing else of vfio is used: memory and registers are mapped through
 * sysfs.
 *
 * @module
 */
import { check, CulvertError, FILE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

const READ_ONLY = 0, READ_WRITE = 1, WRITE = 4;

/** VFIO ioctls: `_IO(';', 100 + n)`. */
const VFIO = {
  SET_IOMMU: 0x3b66,
  GROUP_SET_CONTAINER: 0x3b68,
  GROUP_GET_DEVICE_FD: 0x3b6a,
  DEVICE_GET_IRQ_INFO: 0x3b6d,
  DEVICE_SET_IRQS: 0x3b6e,
} as const;

const TYPE1_IOMMU = 1;
const MSIX_INDEX = 2;
const SET_DATA_EVENTFD_ACTION_TRIGGER = 1 << 2 | 1 << 5;

/** PCI_COMMAND in a device's configuration space, and its bits Memory Space and Bus Master. */
const COMMAND_BYTE = 4;
const MEMORY_AND_MASTER = 6;

/** Most IOMMU groups that are looked through. */
const GROUPS_MAX = 256;

/** A device's interrupts. */
export interface DeviceInterrupts {
  /** An eventfd for each MSI-X vector. */
  readonly vectors: readonly number[];
  /** Let go of the device: it can be unplugged. */
  close(): void;
}

/**
 * Get a device's MSI-X interrupts: bind it to vfio-pci unless it is, open its group, point each
 * vector at an eventfd, let it send them.
 *
 * @param address Such as `0000:00:04.0`.
 * @throws {CulvertError} saying what is missing: the modules, an IOMMU, the vectors, the right.
 */
export function openInterrupts(address: string): DeviceInterrupts {
  const fds: number[] = [];
  const add = (fd: number, what: string) => {
    fds.push(check(fd, what));
    return fd;
  };
  const close = () => fds.splice(0).reverse().forEach((fd) => shim.shim_fd_close(fd));
  try {
    const container = add(open("/dev/vfio/vfio"), "open /dev/vfio/vfio (modprobe vfio-pci)");
    bind(address);
    const device = openDevice(container, address, add);
    const count = vectorsOf(device, address);
    const vectors = Array.from(
      { length: count },
      () => add(shim.shim_eventfd(), "make an eventfd"),
    );
    const irqs = Uint32Array.of(
      20 + 4 * count,
      SET_DATA_EVENTFD_ACTION_TRIGGER,
      MSIX_INDEX,
      0,
      count,
    );
    const set = new Uint8Array([...new Uint8Array(irqs.buffer), ...bytesOf(vectors)]);
    check(shim.shim_ioctl(device, VFIO.DEVICE_SET_IRQS, set, 0), `take interrupts of ${address}`);
    becomeMaster(address); // loses earlier rings: an lcore looks at its rings before it sleeps
    return { vectors, close };
  } catch (error) {
    close();
    throw error;
  }
}

function open(path: string): number {
  return shim.shim_file_open(cString(path), READ_WRITE);
}

function bytesOf(numbers: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(numbers).buffer);
}

/** Write to a file of sysfs; returns 0 or -errno. */
function write(path: string, text: string): number {
  const fd = shim.shim_file_open(cString(path), WRITE);
  if (fd < 0) return fd;
  const bytes = new TextEncoder().encode(text);
  const written = shim.shim_file_write(fd, bytes, bytes.length, 0);
  shim.shim_fd_close(fd);
  return Math.min(written, 0);
}

/** Bind the device to vfio-pci, unless it is bound already. */
function bind(address: string): void {
  const device = `/sys/bus/pci/devices/${address}`;
  check(write(`${device}/driver_override`, "vfio-pci"), `choose vfio-pci for ${address}`);
  // It says ENODEV of a device that is bound, or that has no group: then none is found for it.
  write("/sys/bus/pci/drivers/vfio-pci/bind", address);
}

/** Open the device in its IOMMU group. */
function openDevice(
  container: number,
  address: string,
  add: (fd: number, what: string) => number,
): number {
  const number = groupOf(address);
  const group = add(open(`/dev/vfio/${number}`), `open /dev/vfio/${number} (modprobe vfio-pci)`);
  const set = shim.shim_ioctl(group, VFIO.GROUP_SET_CONTAINER, bytesOf([container]), 0);
  check(set, `use /dev/vfio/${number}`);
  const type1 = shim.shim_ioctl(container, VFIO.SET_IOMMU, null, TYPE1_IOMMU);
  check(type1, "use the IOMMU (modprobe vfio_iommu_type1; it must remap interrupts)");
  const device = shim.shim_ioctl(group, VFIO.GROUP_GET_DEVICE_FD, cString(address), 0);
  return add(device, `open ${address} by vfio`);
}

/** The IOMMU group of a device, found by its entry in sysfs. */
function groupOf(address: string): number {
  for (let group = 0; group < GROUPS_MAX; group++) {
    const path = `/sys/kernel/iommu_groups/${group}/devices/${address}/vendor`;
    const fd = shim.shim_file_open(cString(path), READ_ONLY);
    if (fd < 0) continue;
    shim.shim_fd_close(fd);
    return group;
  }
  throw new CulvertError(
    `Cannot get interrupts of ${address} as no IOMMU group has it: give the VM an IOMMU ` +
      `(culvert qemu --doorbell shows how)`,
  );
}

/** How many MSI-X vectors a device has. */
function vectorsOf(device: number, address: string): number {
  const found = Uint32Array.of(16, 0, MSIX_INDEX, 0);
  const bytes = new Uint8Array(found.buffer);
  check(
    shim.shim_ioctl(device, VFIO.DEVICE_GET_IRQ_INFO, bytes, 0),
    `count the interrupts of ${address}`,
  );
  if (found[3] > 0) return found[3];
  throw new CulvertError(
    `Cannot get interrupts of ${address} as it has none: use -device ivshmem-doorbell,vectors=...`,
  );
}

/** Let the device write: interrupts of one that may not are lost without a word. */
function becomeMaster(address: string): void {
  const path = `/sys/bus/pci/devices/${address}/config`;
  const fd = check(open(path), `open ${path}`, FILE_ADVICE);
  try {
    const head = new Uint8Array(COMMAND_BYTE + 2);
    check(shim.shim_file_read(fd, head, head.length), `read ${path}`);
    const command = head.subarray(COMMAND_BYTE);
    command[0] |= MEMORY_AND_MASTER;
    check(shim.shim_file_write(fd, command, 2, COMMAND_BYTE), `write ${path}`);
  } finally {
    shim.shim_fd_close(fd);
  }
}
