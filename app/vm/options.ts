/**
 * The command lines of `culvert image` and `culvert qemu`: help texts and how they are read.
 *
 * @module
 */

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { UsageError } from "../../ffi/error.ts";
import type { GuestImageOptions } from "./image.ts";
import type { Log } from "./tools.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const IMAGE_HELP = `  --kernel FILE    boot this bzImage instead of Debian's cloud kernel, which is
                   downloaded with apt-get but not installed
  --modules DIR    the modules of --kernel, e.g. /lib/modules/RELEASE
  --app FILE       the guest app's main module (default app/vm_guest.ts)
  --shim FILE      the shim (default .cache/shim/libculvert.so)
  --cache DIR      where downloads and images are kept (default .cache/vm)
  --help           show this text`;

/** Help of `culvert image`. */
export const IMAGE_USAGE = `culvert image - build what a guest VM boots

usage: culvert image [options]

Prints "kernel PATH" and "initrd PATH". The first build takes some seconds and a
26 MB download; later ones only bundle the app again.

${IMAGE_HELP}
`;

/** Help of `culvert qemu`. */
export const QEMU_USAGE = `culvert qemu - show or run QEMU with a guest that forwards frames

usage: culvert qemu [--region NAME|PATH] [options] [-- GUEST-OPTION...]

Prints the QEMU command line, ready for a shell; builds the image first if it is
not up to date. The guest finds the region as PCI device 1af4:1110 and runs
"culvert guest --pci auto GUEST-OPTION...". When that ends, so does the VM.

  --region NAME|PATH
                   the host's region, as it was told (default culvert0)
  --run            run QEMU, the guest's console on stdin and stdout. Returns the
                   guest command's exit status
  --accel NAME     tcg (emulation, the default) or kvm
  --memory MIB     the guest's own memory (default 384)
  --cpus N         virtual processors (default 1)
  --module NAME    load a kernel module in the guest; may be repeated. There are
                   virtio_pci virtio_net tun veth bridge vfio-pci vfio_iommu_type1
  --shell          a shell in the guest instead of the guest command
  --append WORD    more for the kernel's command line; may be repeated
  --qemu FILE      the QEMU program (default qemu-system-x86_64)
  --qemu-arg ARG   one more QEMU argument; may be repeated
${IMAGE_HELP}

example: culvert qemu --region /dev/shm/culvert --run -- --portmap "(0,1)"
`;

const IMAGE_OPTIONS = {
  kernel: { type: "string" },
  modules: { type: "string" },
  app: { type: "string", default: `${ROOT}app/vm_guest.ts` },
  shim: { type: "string", default: `${ROOT}.cache/shim/libculvert.so` },
  cache: { type: "string", default: `${ROOT}.cache/vm` },
  help: { type: "boolean", default: false },
} as const satisfies ParseArgsOptionsConfig;

const QEMU_OPTIONS = {
  ...IMAGE_OPTIONS,
  "region": { type: "string", default: "culvert0" },
  "run": { type: "boolean", default: false },
  "accel": { type: "string", default: "tcg" },
  "memory": { type: "string" },
  "cpus": { type: "string" },
  "module": { type: "string", multiple: true },
  "shell": { type: "boolean", default: false },
  "append": { type: "string", multiple: true },
  "qemu": { type: "string", default: "qemu-system-x86_64" },
  "qemu-arg": { type: "string", multiple: true },
} as const satisfies ParseArgsOptionsConfig;

/** What `culvert image` was asked for; `undefined` if for its help. */
export function parseImageOptions(args: string[], log: Log): GuestImageOptions | undefined {
  const { values } = parse(() => parseArgs({ args, options: IMAGE_OPTIONS }));
  return values.help ? undefined : imageOptions(values, log);
}

/** What `culvert qemu` was asked for. */
export interface QemuRequest {
  /** How to build the image. */
  image: GuestImageOptions;
  /** The region, by name or path. */
  region: string;
  /** Whether to run QEMU rather than show the command line. */
  run: boolean;
  /** The QEMU program. */
  program: string;
  /** What `qemuArguments` takes besides image and region. */
  machine: {
    accel: "tcg" | "kvm";
    memoryMiB?: number;
    cpus?: number;
    modules?: string[];
    shell: boolean;
    kernelParameters?: string[];
    extra?: string[];
    guestArgs: string[];
  };
}

/** What `culvert qemu` was asked for; `undefined` if for its help. */
export function parseQemuOptions(args: string[], log: Log): QemuRequest | undefined {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const rest = end < 0 ? [] : args.slice(end + 1);
  const { values } = parse(() => parseArgs({ args: own, options: QEMU_OPTIONS }));
  if (values.help) return undefined;
  if (values.accel !== "tcg" && values.accel !== "kvm") {
    throw new UsageError(`Cannot use --accel ${values.accel}: pass tcg or kvm`);
  }
  return {
    image: imageOptions(values, log),
    region: values.region,
    run: values.run,
    program: values.qemu,
    machine: {
      accel: values.accel,
      memoryMiB: count("--memory", values.memory),
      cpus: count("--cpus", values.cpus),
      modules: values.module,
      shell: values.shell,
      kernelParameters: values.append,
      extra: values["qemu-arg"],
      guestArgs: ["guest", "--pci", "auto", ...rest],
    },
  };
}

type ImageValues = Record<"app" | "shim" | "cache", string> & { kernel?: string; modules?: string };

function imageOptions(values: ImageValues, log: Log): GuestImageOptions {
  return {
    kernel: values.kernel,
    modules: values.modules,
    cacheDir: values.cache,
    appEntry: values.app,
    shimPath: values.shim,
    log,
  };
}

function count(option: string, value: string | undefined): number | undefined {
  if (value === undefined || /^[1-9]\d*$/.test(value)) return value && Number(value) || undefined;
  throw new UsageError(`Cannot use ${option} ${value}: pass a positive integer`);
}

/**
 * node:util reports what it does not understand as TypeErrors whose messages are meant for users.
 */
function parse<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof TypeError) {
      throw new UsageError(`Cannot read the command line: ${error.message}`);
    }
    throw error;
  }
}
