import type { Command, Options } from "../command.ts";
import { MSIX_VECTORS_MAX } from "../../ivshmem/vectors.ts";
import { SLOTS_MAX } from "../../vm/devices.ts";
import { MEMORY_MIB, QEMU as QEMU_PROGRAM } from "../../vm/qemu.ts";
import { GUEST_NUMBER, QMP, REGION } from "./shared.ts";

const OF_THE_IMAGE = "of the image that the guest boots";

/** How a guest's image is built. */
const IMAGE_OPTIONS = {
  "kernel": {
    kind: "text",
    argument: "FILE",
    group: OF_THE_IMAGE,
    about: "boot this bzImage instead of Debian's cloud kernel, which is downloaded with apt-get " +
      "but not installed",
  },
  "modules": {
    kind: "text",
    argument: "DIR",
    group: OF_THE_IMAGE,
    about: "the modules of --kernel, such as /lib/modules/RELEASE",
  },
  "app": {
    kind: "text",
    argument: "FILE",
    otherwise: "culvert guest and inspect",
    group: OF_THE_IMAGE,
    about: "the guest app's main module",
  },
  "shim": {
    kind: "text",
    argument: "FILE",
    otherwise: "the one that is used here",
    group: OF_THE_IMAGE,
    about: "the shim",
  },
  "cache": {
    kind: "text",
    argument: "DIR",
    otherwise: ".cache/vm in a clone, else $XDG_CACHE_HOME/culvert/vm",
    group: OF_THE_IMAGE,
    about: "where downloads and images are kept",
  },
} as const satisfies Options;

/** `culvert image`. */
export const IMAGE = {
  name: "image",
  summary: "build what a guest VM boots",
  usage: ["[options]"],
  intro: [
    'Prints "kernel PATH" and "initrd PATH". The first build takes some seconds and a 26 MB ' +
    "download; later ones only bundle the app again.",
  ],
  options: IMAGE_OPTIONS,
} as const satisfies Command;

/** `culvert qemu`. */
export const QEMU = {
  name: "qemu",
  summary: "show or run QEMU with guests that forward frames",
  usage: ["[--region NAME|PATH]... [options] [-- GUEST-OPTION...]"],
  intro: [
    "Prints the QEMU command line of a guest, ready for a shell, with advice in lines that begin " +
    'with "#"; builds the image first if it is not up to date. In the guest a region is PCI ' +
    'device 1af4:1110, and "culvert guest --pci auto GUEST-OPTION..." runs, with the first ' +
    "region. When that ends, so does the VM.",
  ],
  rest: {
    name: "GUEST-OPTION...",
    about: 'options of the guest command; if the first word is "inspect", "culvert inspect ' +
      '--pci auto" runs instead',
  },
  options: {
    "region": {
      ...REGION,
      many: true,
      otherwise: "culvert0",
      about: "a host's region, as the host was told. May be repeated: each VM gets them all, as " +
        "devices in this order",
    },
    "no-region": {
      kind: "flag",
      about: 'no region yet: one is plugged later, by "culvert plug"',
    },
    "guest": {
      ...GUEST_NUMBER,
      many: true,
      otherwise: "0",
      about: "which guest of the host this is. May be repeated: a VM for each, with --guest N " +
        "for its guest command",
    },
    "run": {
      kind: "flag",
      about:
        "run QEMU, the guest's console on stdin and stdout. Returns the guest command's exit " +
        "status. Several VMs: all run, a guest's number is put before its lines, and the worst " +
        "status is returned",
    },
    "json": {
      kind: "flag",
      about: "print an array of {guest, program, args, advice, regions, qmp}",
    },
    "libvirt": { kind: "flag", about: "print libvirt domain XML instead of a command line" },
    "doorbell": {
      kind: "flag",
      about: "the guest can be woken: ivshmem-doorbell instead of -plain, an IOMMU, and vfio in " +
        "the guest. The region needs a server",
    },
    "vectors": {
      kind: "number",
      argument: "N",
      least: 1,
      most: MSIX_VECTORS_MAX,
      otherwise: "as many as the server has",
      about: "interrupts of each device",
    },
    "master": {
      kind: "flag",
      about: "migration takes the content of regions along, and overwrites the destination's; " +
        "without this option QEMU refuses to migrate",
    },
    "qmp": {
      ...QMP,
      about: 'QEMU\'s monitor, for "culvert plug". Several VMs: SOCKET.N',
    },
    "hotplug": {
      kind: "number",
      argument: "N",
      least: 0,
      most: SLOTS_MAX,
      otherwise: "1 with --qmp, else 0",
      about: "empty slots for regions to come",
    },
    "accel": {
      kind: "choice",
      argument: "NAME",
      choices: ["tcg", "kvm"],
      default: "tcg",
      about: "emulation or hardware virtualization",
    },
    "memory": {
      kind: "number",
      argument: "MIB",
      least: 1,
      otherwise: `${MEMORY_MIB}`,
      about: "the guest's own memory",
    },
    "hugepages": {
      kind: "text",
      argument: "DIR",
      about: "the guest's own memory from a hugetlbfs, such as /dev/hugepages",
    },
    "numa-node": {
      kind: "number",
      argument: "N",
      least: 0,
      about: "the guest's own memory and its processors on this node",
    },
    "cpus": {
      kind: "number",
      argument: "N",
      least: 1,
      otherwise: "1",
      about: "virtual processors",
    },
    "pin": {
      kind: "text",
      argument: "CORES",
      about: "run QEMU on these cores, as 1 or 2-5,7",
    },
    "module": {
      kind: "text",
      argument: "NAME",
      many: true,
      about:
        "load a kernel module in the guest; may be repeated. There are virtio_pci virtio_net " +
        "tun veth bridge vfio-pci vfio_iommu_type1",
    },
    "shell": { kind: "flag", about: "a shell in the guest instead of the guest command" },
    "append": {
      kind: "text",
      argument: "WORD",
      many: true,
      about: "more for the kernel's command line; may be repeated",
    },
    "qemu": {
      kind: "text",
      argument: "FILE",
      default: QEMU_PROGRAM,
      about: "the QEMU program",
    },
    "qemu-arg": {
      kind: "text",
      argument: "ARG",
      many: true,
      about: "one more QEMU argument; may be repeated",
    },
    ...IMAGE_OPTIONS,
  },
  examples: [
    { line: 'culvert qemu --region /dev/shm/culvert --run -- --portmap "(0,1)"' },
    { line: "culvert qemu --doorbell --guest 0 --guest 1 --run" },
    { line: "culvert qemu --run -- inspect" },
  ],
} as const satisfies Command;
