import type { Command } from "../command.ts";
import { GUEST_NUMBER, QMP, REGION } from "./shared.ts";

/** `culvert plug`. */
export const PLUG = {
  name: "plug",
  summary: "give a region to a VM that already runs",
  usage: ["--qmp SOCKET [--region NAME|PATH] [options]"],
  options: {
    "qmp": QMP,
    "region": { ...REGION, default: "culvert0" },
    "id": {
      kind: "text",
      argument: "NAME",
      otherwise: "culvert- and the region's name",
      about: "the device's id in QEMU",
    },
    "bus": {
      kind: "text",
      argument: "NAME",
      otherwise: "a free pcie-root-port; on the machine pc, pci.0",
      about: "the bus to plug it into. Regions need a port with addresses reserved, as below",
    },
    "doorbell": {
      kind: "flag",
      about: "as a peer of the region's server, with interrupts (ivshmem-doorbell). It stays as " +
        "long as the VM runs: see culvert unplug --help",
    },
  },
  text: ["A guest that runs with --pci auto and waits for a region takes it. QEMU 6.0 or later."],
  examples: [
    { line: "culvert plug --qmp /run/vm1.qmp --region culvert0" },
    {
      about: "an argument of QEMU: a port for a region, as culvert qemu --hotplug 1 has it",
      line: "-device pcie-root-port,id=culvert-slot1,chassis=1,pref64-reserve=8G",
    },
  ],
} as const satisfies Command;

/** `culvert unplug`. */
export const UNPLUG = {
  name: "unplug",
  summary: "take a region from a VM that runs",
  usage: ["--qmp SOCKET [--region NAME|PATH] [--id NAME] [options]"],
  intro: [
    "Asks the guest to leave the region and waits until it has, since the kernel kills a program " +
    "that touches memory which has gone; then unplugs the device. The guest waits for another " +
    "region. An ivshmem-doorbell " +
    "is not unplugged: QEMU (7.2, and later ones as far as we know) frees memory twice when one " +
    "goes after another peer has left, and mostly dies.",
  ],
  options: {
    "qmp": QMP,
    "region": {
      ...REGION,
      otherwise: "culvert0, unless there is an --id",
      about: "the region",
    },
    "id": {
      kind: "text",
      argument: "NAME",
      otherwise: "found by the region",
      about: "the device's id in QEMU",
    },
    "guest": {
      ...GUEST_NUMBER,
      otherwise: "the only one",
      about: "which guest of the region the VM is",
    },
    "timeout": {
      kind: "number",
      argument: "S",
      least: 1,
      most: 3600,
      default: 20,
      about: "seconds that the guest may take to leave, and its kernel to let go of the device",
    },
    "force": {
      kind: "flag",
      about: "unplug even if the guest does not leave or cannot be asked",
    },
  },
  examples: [{ line: "culvert unplug --qmp /run/vm1.qmp --region culvert0" }],
} as const satisfies Command;
