import { check, CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { cachingAdvice, isCached, measureCaching } from "./caching.ts";
import { readKernelFile } from "../linux/kernel_file.ts";
import { type IvshmemDevice, mapMemory } from "../linux/pci.ts";

const READ_WRITE = 1;

/** The line of sysfs' `resource` that is the shared memory. */
const MEMORY_BAR = 2;

/**
 * Map a device's shared memory, cached if that can be had (`app/vm/CACHING.md`).
 *
 * The kernel maps BARs uncached. Under KVM on Intel and under TCG that makes no difference, on AMD
 * it does. If the mapping proves slow, the memory is mapped through /dev/mem instead: cached,
 * unless an MTRR forbids it.
 *
 * @param log Told if the memory is not mapped through sysfs, or is slow.
 * @throws {CulvertError} if it cannot be mapped at all.
 */
export function mapMemoryCached(device: IvshmemDevice, log: (line: string) => void): MappedMemory {
  const memory = mapMemory(device);
  const caching = measureCaching(memory);
  const advice = cachingAdvice(caching);
  if (advice === undefined) return memory;
  memory.close(); // the kernel maps a page in one way at a time
  try {
    const cached = mapPhysical(device);
    if (isCached(measureCaching(cached))) {
      log(`the device's memory is mapped through /dev/mem, as it is uncached through sysfs`);
      return cached;
    }
    cached.close();
    log(advice);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    log(`${advice}; ${error.message}`);
  }
  return mapMemory(device);
}

/**
 * Map a device's shared memory through /dev/mem.
 *
 * @throws {CulvertError} if the kernel has no /dev/mem, or refuses, as it does under Secure Boot.
 */
export function mapPhysical({ address, bytes }: IvshmemDevice): MappedMemory {
  const { start, end } = parseResource(
    readKernelFile(`/sys/bus/pci/devices/${address}/resource`),
    MEMORY_BAR,
  );
  if (start === 0 || end - start + 1 !== bytes) {
    throw new CulvertError(
      `Cannot map PCI device ${address} through /dev/mem as its memory has ${
        end - start + 1
      } bytes ` +
        `at ${start}: ${bytes} are wanted`,
    );
  }
  const advice = "run as root (CAP_SYS_RAWIO), in a VM without Secure Boot";
  const fd = check(shim.shim_file_open(cString("/dev/mem"), READ_WRITE), "open /dev/mem", advice);
  try {
    return MappedMemory.ofFile(fd, bytes, `PCI device ${address} through /dev/mem`, start);
  } finally {
    shim.shim_fd_close(fd);
  }
}

/**
 * Read sysfs' `resource` of a PCI device: a line a BAR, its first and last physical address and
 * flags.
 *
 * @returns zeros if there is no such BAR.
 */
export function parseResource(text: string, bar: number): { start: number; end: number } {
  const [start = 0, end = 0] = (text.split("\n")[bar] ?? "").split(" ").map(Number);
  return { start, end };
}
