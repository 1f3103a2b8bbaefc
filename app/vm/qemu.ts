/**
 * The QEMU command line for a Culvert guest: nothing but a serial console and regions, as ivshmem
 * devices.
 *
 * @module
 */

import { emptySlots, escapeComma, interruptIommu, ivshmemDevice } from "./devices.ts";
import type { RegionDevice } from "./devices.ts";
import { encodeGuestArguments } from "./guest_args.ts";
import type { GuestImage } from "./image.ts";
import { KERNEL_PARAMETERS } from "./init.ts";

/** The program that {@linkcode qemuArguments} is written for. */
export const QEMU = "qemu-system-x86_64";

/** Memory of a guest in MiB by default: enough for Deno and the image. */
export const MEMORY_MIB = 384;

/** A guest's machine, apart from its image and its regions. */
export interface Machine {
  /** Arguments of the guest command, e.g. `["guest", "--pci", "auto"]`. */
  readonly guestArgs: readonly string[];
  /** The guest's own memory in MiB; {@linkcode MEMORY_MIB} if left out. */
  readonly memoryMiB?: number;
  /** Emulation (`tcg`, works everywhere) or hardware virtualization (`kvm`); `tcg` if left out. */
  readonly accel?: "tcg" | "kvm";
  /** Virtual processors, 1 if left out. */
  readonly cpus?: number;
  /** Kernel modules that the guest loads before its command, dependencies included. */
  readonly modules?: readonly string[];
  /** A shell instead of the guest command. */
  readonly shell?: boolean;
  /** More words for the kernel's command line. */
  readonly kernelParameters?: readonly string[];
  /** What interrupts to the guest need: an IOMMU, and vfio in the guest. */
  readonly doorbell?: boolean;
  /** Whether migration takes the content of regions along; if not, QEMU refuses to migrate. */
  readonly master?: boolean;
  /** Path of a UNIX socket for QEMU's monitor (QMP), which plugs and unplugs regions. */
  readonly qmp?: string;
  /** Empty slots for regions that are plugged later. */
  readonly slots?: number;
  /** A folder on hugetlbfs: the guest's own memory comes from there. */
  readonly hugepages?: string;
  /** The NUMA node that the guest's own memory is on. */
  readonly numaNode?: number;
  /** More QEMU arguments, appended as they are. */
  readonly extra?: readonly string[];
}

/** What {@linkcode qemuArguments} needs. */
export interface QemuOptions extends Machine {
  /** What to boot. */
  readonly image: GuestImage;
  /** The regions, as PCI devices in this order: `--pci auto` is the first. */
  readonly regions: readonly RegionDevice[];
}

/** Modules that a guest needs to receive interrupts. */
const VFIO_MODULES = ["vfio-pci", "vfio_iommu_type1"];

/** x86 Linux cuts its command line off here (`COMMAND_LINE_SIZE`), the final NUL included. */
const KERNEL_COMMAND_LINE_BYTES = 2048;

/**
 * Returns QEMU's arguments, the program's name not included.
 *
 * The machine is q35: it boots as fast as pc (5.1 s and 4.8 s to the app on a busy machine, within
 * noise) and has PCI Express and an IOMMU, which interrupts to the guest need; README.md in this
 * folder tells which of its parameters do what. A region's device is no `master` unless asked for:
 * QEMU then refuses to migrate the VM, which would leave its host behind.
 *
 * Under TCG `maxcpus` is never 1: QEMU would then turn atomic instructions into ordinary ones, and
 * updates of words shared with the host would get lost.
 *
 * @throws {RangeError} If a region's size is not a power of two of at least 4096, a number is out
 * of range, or the kernel's command line gets longer than 2047 bytes.
 */
export function qemuArguments(options: QemuOptions): string[] {
  const { image, regions, memoryMiB = MEMORY_MIB, cpus = 1, accel = "tcg" } = options;
  checkPositive("memory", "MiB", memoryMiB);
  checkPositive("processors", "processors", cpus);
  const memory = memoryBackend(options, memoryMiB);
  // Interrupts are remapped by QEMU, not by KVM, so their controller must be QEMU's.
  const irqchip = options.doorbell && accel === "kvm" ? ",kernel-irqchip=split" : "";
  // deno-fmt-ignore
  return [
    "-nodefaults", "-no-user-config", "-no-reboot",
    "-display", "none", "-monitor", "none", "-serial", "stdio",
    "-machine", `q35${irqchip}${memory ? ",memory-backend=ram" : ""}`,
    ...acceleration(accel),
    "-smp", `${cpus},maxcpus=${Math.max(2, cpus)}`,
    "-m", `${memoryMiB}`,
    ...memory ? ["-object", memory] : [],
    "-kernel", image.kernel,
    "-initrd", image.initrd,
    "-append", kernelCommandLine(options),
    ...options.doorbell ? interruptIommu() : [],
    ...regions.flatMap((region, i) => ivshmemDevice(region, i, options.master ?? false)),
    ...emptySlots(options.slots ?? 0),
    ...options.qmp === undefined ? [] : ["-qmp", `unix:${escapeComma(options.qmp)},server=on,wait=off`],
    ...options.extra ?? [],
  ];
}

/** Where the guest's own memory comes from; undefined for QEMU's default. */
function memoryBackend(options: Machine, memoryMiB: number): string | undefined {
  const { hugepages, numaNode } = options;
  const node = numaNode === undefined ? "" : `,host-nodes=${numaNode},policy=bind`;
  if (hugepages !== undefined) {
    return `memory-backend-file,id=ram,size=${memoryMiB}M,mem-path=${escapeComma(hugepages)},` +
      `share=off,prealloc=on${node}`;
  }
  return node ? `memory-backend-ram,id=ram,size=${memoryMiB}M${node}` : undefined;
}

/**
 * Under TCG copies by `rep movs` are five times slower than loops, so the guest is told of no fast
 * ones. Translated code gets 256 MiB: with 64 MiB a guest starts a sixth slower, as much of its
 * code is translated twice.
 */
function acceleration(accel: "tcg" | "kvm"): string[] {
  if (accel === "kvm") return ["-accel", "kvm", "-cpu", "host"];
  return ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max,erms=off,fsrm=off"];
}

/**
 * The kernel's command line as it gets to the guest.
 *
 * @throws {RangeError} If it gets longer than 2047 bytes.
 */
export function kernelCommandLine(options: Machine): string {
  // On a busy machine the kernel's test of the timer interrupt fails under TCG: it would panic.
  const words = ["console=ttyS0", "quiet", "panic=-1", "no_timer_check"];
  const modules = [...options.doorbell ? VFIO_MODULES : [], ...options.modules ?? []];
  if (modules.length) words.push(`${KERNEL_PARAMETERS.modules}=${modules.join(",")}`);
  if (options.shell) words.push(KERNEL_PARAMETERS.shell);
  if (options.doorbell) words.push("intel_iommu=on");
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

function checkPositive(what: string, unit: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(
    `Cannot give the guest ${value} ${unit} of ${what}: pass a positive integer`,
  );
}
