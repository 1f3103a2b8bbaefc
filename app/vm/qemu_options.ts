/**
 * The command line of `culvert qemu`: its help text and how it is read.
 *
 * @module
 */

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { SLOTS_MAX, VECTORS_MAX } from "./devices.ts";
import type { GuestImageOptions } from "./image.ts";
import { IMAGE_HELP, IMAGE_OPTIONS, imageOptions, parse } from "./options.ts";
import { type Machine, MEMORY_MIB, QEMU } from "./qemu.ts";
import type { Log } from "./tools.ts";

/** Help of `culvert qemu`. */
export const QEMU_USAGE = `culvert qemu - show or run QEMU with guests that forward frames

usage: culvert qemu [--region NAME|PATH]... [options] [-- GUEST-OPTION...]

Prints the QEMU command line of a guest, ready for a shell, with advice in lines
that begin with "#"; builds the image first if it is not up to date. In the guest a
region is PCI device 1af4:1110, and "culvert guest --pci auto GUEST-OPTION..." runs,
with the first region. When that ends, so does the VM. If the first word behind -- is
"inspect", "culvert inspect --pci auto" runs instead.

  --region NAME|PATH
                   a host's region, as it was told (default culvert0). May be
                   repeated: each VM gets them all, as devices in this order
  --no-region      no region yet: one is plugged later, by "culvert plug"
  --guest N        which guest of the host this is (default 0). May be repeated: a
                   VM for each, with --guest N for its guest command
  --run            run QEMU, the guest's console on stdin and stdout. Returns the
                   guest command's exit status. Several VMs: all run, a guest's
                   number is put before its lines, and the worst status returned
  --json           print an array of {guest, program, args, advice, regions, qmp}
  --libvirt        print libvirt domain XML instead of a command line
  --doorbell       the guest can be woken: ivshmem-doorbell instead of -plain, an
                   IOMMU, and vfio in the guest. The region needs a server
  --vectors N      interrupts of each device (default: as many as the server has)
  --master         migration takes the content of regions along, and overwrites the
                   destination's (default: QEMU refuses to migrate)
  --qmp SOCKET     QEMU's monitor, for "culvert plug". Several VMs: SOCKET.N
  --hotplug N      empty slots for regions to come (default 1 with --qmp, else 0)
  --accel NAME     tcg (emulation, the default) or kvm
  --memory MIB     the guest's own memory (default ${MEMORY_MIB})
  --hugepages DIR  the guest's own memory from a hugetlbfs, e.g. /dev/hugepages
  --numa-node N    the guest's own memory and its processors on this node
  --cpus N         virtual processors (default 1)
  --pin CORES      run QEMU on these cores, as 1 or 2-5,7
  --module NAME    load a kernel module in the guest; may be repeated. There are
                   virtio_pci virtio_net tun veth bridge vfio-pci vfio_iommu_type1
  --shell          a shell in the guest instead of the guest command
  --append WORD    more for the kernel's command line; may be repeated
  --qemu FILE      the QEMU program (default ${QEMU})
  --qemu-arg ARG   one more QEMU argument; may be repeated
${IMAGE_HELP}

examples: culvert qemu --region /dev/shm/culvert --run -- --portmap "(0,1)"
          culvert qemu --doorbell --guest 0 --guest 1 --run
          culvert qemu --run -- inspect
`;

const QEMU_OPTIONS = {
  ...IMAGE_OPTIONS,
  "region": { type: "string", multiple: true },
  "no-region": { type: "boolean", default: false },
  "guest": { type: "string", multiple: true },
  "run": { type: "boolean", default: false },
  "json": { type: "boolean", default: false },
  "libvirt": { type: "boolean", default: false },
  "doorbell": { type: "boolean", default: false },
  "vectors": { type: "string" },
  "master": { type: "boolean", default: false },
  "qmp": { type: "string" },
  "hotplug": { type: "string" },
  "accel": { type: "string", default: "tcg" },
  "memory": { type: "string" },
  "hugepages": { type: "string" },
  "numa-node": { type: "string" },
  "cpus": { type: "string" },
  "pin": { type: "string" },
  "module": { type: "string", multiple: true },
  "shell": { type: "boolean", default: false },
  "append": { type: "string", multiple: true },
  "qemu": { type: "string", default: QEMU },
  "qemu-arg": { type: "string", multiple: true },
} as const satisfies ParseArgsOptionsConfig;

/** Commands that the image's app has. */
const GUEST_COMMANDS = ["guest", "inspect"];

/** Highest guest number. */
const GUEST_MAX = 126;

/** What is done with the command lines. */
export type Output = "shell" | "json" | "libvirt" | "run";

/** What `culvert qemu` was asked for. */
export interface QemuRequest {
  /** How to build the image. */
  readonly image: GuestImageOptions;
  /** The regions, by name or path; each VM gets them all. */
  readonly regions: readonly string[];
  /** The guests' numbers: a VM for each. */
  readonly guests: readonly number[];
  /** What is done with the command lines. */
  readonly output: Output;
  /** The QEMU program. */
  readonly program: string;
  /** Vectors of each device; as many as its region's server has if left out. */
  readonly vectors?: number;
  /** The cores that QEMU is to run on. */
  readonly pin?: string;
  /** The machine of each VM. `guestArgs` is without the guest's number, which {@linkcode numbered} adds. */
  readonly machine: Machine;
  /** Whether the guest command is told the guest's number. */
  readonly numbered: boolean;
}

/**
 * What `culvert qemu` was asked for; `undefined` if for its help.
 *
 * @throws {UsageError} Naming the option, what was found and what is wanted.
 */
export function parseQemuOptions(args: string[], log: Log): QemuRequest | undefined {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const rest = end < 0 ? [] : args.slice(end + 1);
  const { values } = parse(() => parseArgs({ args: own, options: QEMU_OPTIONS }));
  if (values.help) return undefined;
  if (values.accel !== "tcg" && values.accel !== "kvm") {
    throw new UsageError(`Cannot use --accel ${values.accel}: pass tcg or kvm`);
  }
  const regions = readRegions(values.region, values["no-region"]);
  const command = GUEST_COMMANDS.includes(rest[0]) ? rest[0] : "guest";
  if (values.vectors !== undefined && !values.doorbell) {
    throw new UsageError("Cannot use --vectors without --doorbell: only then there are interrupts");
  }
  return {
    image: imageOptions(values, log),
    regions,
    guests: readGuests(values.guest),
    numbered: values.guest !== undefined && command === "guest",
    output: readOutput(values),
    program: values.qemu,
    vectors: count("--vectors", values.vectors, 1, VECTORS_MAX),
    pin: readPin(values.pin),
    machine: {
      accel: values.accel,
      memoryMiB: count("--memory", values.memory),
      cpus: count("--cpus", values.cpus),
      modules: values.module,
      shell: values.shell,
      kernelParameters: values.append,
      doorbell: values.doorbell,
      master: values.master,
      qmp: values.qmp,
      slots: count("--hotplug", values.hotplug, 0, SLOTS_MAX) ?? (values.qmp ? 1 : 0),
      hugepages: values.hugepages,
      numaNode: count("--numa-node", values["numa-node"], 0),
      extra: values["qemu-arg"],
      guestArgs: [command, "--pci", "auto", ...rest[0] === command ? rest.slice(1) : rest],
    },
  };
}

function readRegions(given: string[] | undefined, none: boolean): string[] {
  if (none && given) {
    throw new UsageError("Cannot use --region and --no-region together: leave one out");
  }
  const regions = given ?? (none ? [] : ["culvert0"]);
  for (const region of regions) {
    try {
      checkRegionName(region);
    } catch (error) {
      throw error instanceof CulvertError ? new UsageError(error.message) : error;
    }
  }
  return unique("--region", regions);
}

function readGuests(given: string[] = ["0"]): number[] {
  return unique("--guest", given.map((text) => count("--guest", text, 0, GUEST_MAX)!));
}

function readOutput(values: Record<"json" | "libvirt" | "run", boolean>): Output {
  const asked = (["json", "libvirt", "run"] as const).filter((output) => values[output]);
  if (asked.length < 2) return asked[0] ?? "shell";
  const options = asked.map((output) => `--${output}`).join(" and ");
  throw new UsageError(`Cannot use ${options} together: choose one`);
}

function readPin(text: string | undefined): string | undefined {
  if (text === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  throw new UsageError(`Cannot use --pin ${text} as it names no cores: write 1 or 2-5,7`);
}

function unique<T>(option: string, values: T[]): T[] {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice === undefined) return values;
  throw new UsageError(`Cannot use ${option} ${twice} twice: name each once`);
}

/** A whole number from `least` on, or undefined if the option was not given. */
function count(
  option: string,
  text: string | undefined,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
  throw new UsageError(`Cannot use ${option} ${text} as it is no whole number: pass ${range}`);
}
