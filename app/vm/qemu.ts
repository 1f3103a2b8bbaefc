/**
 * The QEMU command line for a Culvert guest: nothing but a serial console and the region, as an
 * ivshmem device.
 *
 * @module
 */

import { encodeGuestArguments } from "./guest_args.ts";
import type { GuestImage } from "./image.ts";
import { KERNEL_PARAMETERS } from "./init.ts";

/** The program that {@linkcode qemuArguments} is written for. */
export const QEMU = "qemu-system-x86_64";

/** What {@linkcode qemuArguments} needs. */
export interface QemuOptions {
  /** What to boot. */
  image: GuestImage;
  /** The region's file: a path in /dev/shm or on hugetlbfs, or `/proc/PID/fd/N` for a memfd. */
  regionPath: string;
  /** The region's size in bytes: a power of two, at least a page (4096). */
  regionBytes: number;
  /** Arguments of the guest command, e.g. `["guest", "--pci", "auto"]`. */
  guestArgs: string[];
  /** The guest's own memory in MiB; 384 (enough for Deno) if left out. */
  memoryMiB?: number;
  /** Emulation (`tcg`, works everywhere) or hardware virtualization (`kvm`); `tcg` if left out. */
  accel?: "tcg" | "kvm";
  /** Virtual processors, 1 if left out. */
  cpus?: number;
  /** Kernel modules that the guest loads before its command, dependencies included. */
  modules?: string[];
  /** A shell instead of the guest command. */
  shell?: boolean;
  /** More words for the kernel's command line. */
  kernelParameters?: string[];
  /** More QEMU arguments, appended as they are. */
  extra?: string[];
}

/** x86 Linux cuts its command line off here (`COMMAND_LINE_SIZE`), the final NUL included. */
const KERNEL_COMMAND_LINE_BYTES = 2048;

const PAGE_BYTES = 4096;

/**
 * Returns QEMU's arguments, the program's name not included.
 *
 * The region is `share=on`, so both sides see the same pages, and the device is no `master`: QEMU
 * then refuses to migrate the VM, which would leave its host behind. The machine is q35: it boots
 * as fast as pc (5.1 s and 4.8 s to the app on a busy machine, within noise) and has PCI Express
 * and a virtual IOMMU, which interrupts to the guest need.
 *
 * Under TCG `maxcpus` is never 1: QEMU would then turn atomic instructions into ordinary ones, and
 * updates of words shared with the host would get lost.
 *
 * @throws {RangeError} If the region's size is not a power of two of at least 4096, memory or
 * processors are not positive integers, or the kernel's command line gets longer than 2047 bytes.
 */
export function qemuArguments(options: QemuOptions): string[] {
  const { image, regionPath, regionBytes, memoryMiB = 384, cpus = 1, accel = "tcg" } = options;
  checkRegionBytes(regionBytes);
  checkPositive("memory", "MiB", memoryMiB);
  checkPositive("processors", "processors", cpus);
  const backend = `memory-backend-file,id=culvert,share=on,mem-path=${escapeComma(regionPath)}`;
  // deno-fmt-ignore
  return [
    "-nodefaults", "-no-user-config", "-no-reboot",
    "-display", "none", "-monitor", "none", "-serial", "stdio",
    "-machine", "q35",
    ...acceleration(accel),
    "-smp", `${cpus},maxcpus=${Math.max(2, cpus)}`,
    "-m", `${memoryMiB}`,
    "-kernel", image.kernel,
    "-initrd", image.initrd,
    "-append", kernelCommandLine(options),
    "-object", `${backend},size=${regionBytes}`,
    "-device", "ivshmem-plain,memdev=culvert",
    ...options.extra ?? [],
  ];
}

/**
 * Joins a command and its arguments into one line that a POSIX shell reads back as the same words.
 */
export function shellQuote(words: string[]): string {
  const quote = (word: string) =>
    /^[A-Za-z0-9_@%+=:,.\/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return words.map(quote).join(" ");
}

/**
 * TCG: copies by `rep movs` are five times slower than loops, and 64 MiB of translated code is
 * plenty.
 */
function acceleration(accel: "tcg" | "kvm"): string[] {
  if (accel === "kvm") return ["-accel", "kvm", "-cpu", "host"];
  return ["-accel", "tcg,thread=multi,tb-size=64", "-cpu", "max,erms=off,fsrm=off"];
}

function kernelCommandLine(options: QemuOptions): string {
  const words = ["console=ttyS0", "quiet", "panic=-1"];
  if (options.modules?.length) {
    words.push(`${KERNEL_PARAMETERS.modules}=${options.modules.join(",")}`);
  }
  if (options.shell) words.push(KERNEL_PARAMETERS.shell);
  words.push(...options.kernelParameters ?? []);
  words.push(`${KERNEL_PARAMETERS.arguments}=${encodeGuestArguments(options.guestArgs)}`);
  const line = words.join(" ");
  const bytes = new TextEncoder().encode(line).length;
  if (bytes < KERNEL_COMMAND_LINE_BYTES) return line;
  throw new RangeError(
    `Cannot pass the guest its arguments as the kernel's command line has ${bytes} bytes: ` +
      `it holds ${KERNEL_COMMAND_LINE_BYTES - 1}, use fewer or shorter ones`,
  );
}

function checkRegionBytes(bytes: number): void {
  if (bytes >= PAGE_BYTES && 2 ** Math.round(Math.log2(bytes)) === bytes) return;
  throw new RangeError(
    `Cannot give the guest a region of ${bytes} bytes: ` +
      `QEMU wants a power of two, ${PAGE_BYTES} or more`,
  );
}

function checkPositive(what: string, unit: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(
    `Cannot give the guest ${value} ${unit} of ${what}: pass a positive integer`,
  );
}

/** QEMU splits option values at commas; a doubled one stands for itself. */
function escapeComma(value: string): string {
  return value.replaceAll(",", ",,");
}
