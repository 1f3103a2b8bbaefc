/**
 * What to think of before a VM is started.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
import { isNamedShm } from "./devices.ts";
import { type HostMachine, hugetlbMountOf } from "./host_machine.ts";
import { hasDoorbell, type LocatedRegion } from "./located_region.ts";
import { MEMORY_MIB } from "./qemu.ts";
import type { QemuRequest } from "./qemu_request.ts";

/**
 * Advice for the VMs of a request, a line each; none if all is well.
 *
 * @throws {CulvertError} If the guest's memory cannot come from huge pages as asked.
 */
export function adviceFor(
  request: QemuRequest,
  regions: readonly LocatedRegion[],
  machine: HostMachine,
): string[] {
  return [
    ...regions.flatMap((region) => aboutRegion(region, request)),
    ...request.output === "libvirt" ? aboutLibvirt(regions, request) : [],
    ...aboutProcessors(request, machine),
    ...aboutNodes(request, regions, machine),
    ...aboutHugepages(request, machine),
    ...aboutPlugging(request),
  ];
}

function aboutRegion(place: LocatedRegion, request: QemuRequest): string[] {
  const { doorbell, master } = request.machine;
  const advice = [];
  const [, pid] = /^\/proc\/(\d+)\//.exec(place.path) ?? [];
  if (doorbell && hasDoorbell(place)) {
    if (request.output !== "libvirt") {
      advice.push(`QEMU connects to ${place.socket} as it starts, so run it as a user who may`);
    }
    if (request.vectors !== undefined && request.vectors < place.vectors) {
      advice.push(
        `its server hands out ${place.vectors} vectors: QEMU will warn that these are too many, and ` +
          `close those that the device does not have`,
      );
    }
  } else {
    if (pid !== undefined) advice.push(`${place.path} is there while process ${pid} runs`);
    if (doorbell) advice.push("no server hands out interrupts with it, so it has no doorbell");
    else if (hasDoorbell(place)) {
      advice.push("the guest will poll; --doorbell lets the host wake it");
    }
  }
  if (master) {
    advice.push(
      "with master=on its content migrates with the VM, over what the destination's region holds: no " +
        "host may be forwarding there",
    );
  }
  return advice.map((line) => `region ${place.region}: ${line}`);
}

/** libvirt runs QEMU as another user, and under AppArmor or SELinux. */
function aboutLibvirt(regions: readonly LocatedRegion[], { machine }: QemuRequest): string[] {
  const advice = [];
  const files = regions.filter((place) => !(machine.doorbell && hasDoorbell(place)));
  if (files.length < regions.length || files.some(({ path }) => !isMemfd(path))) {
    advice.push("let QEMU in: start the host with --group libvirt-qemu (Debian), or --group qemu");
  }
  for (const { path } of files) {
    if (isMemfd(path)) {
      advice.push(
        `${path} can be opened by a QEMU of root's only: use --doorbell, or a region in /dev/shm`,
      );
    } else if (!isNamedShm(path)) {
      advice.push(
        `AppArmor has no rule for ${path}: add "${path} rw," to ` +
          "/etc/apparmor.d/local/abstractions/libvirt-qemu",
      );
    }
  }
  return advice.map((line) => `libvirt: ${line}`);
}

function isMemfd(path: string): boolean {
  return path.startsWith("/proc/");
}

function aboutProcessors({ machine: { accel, numaNode }, pin }: QemuRequest, host: HostMachine) {
  const advice = [];
  if (accel !== "kvm" && host.hasKvm) {
    advice.push("/dev/kvm can be opened: --accel kvm is some 10 times faster where it works");
  }
  if (accel === "kvm" && !host.hasKvm) {
    advice.push("/dev/kvm cannot be opened by this user: QEMU will refuse --accel kvm");
  }
  const [first, ...others] = host.cores;
  if (pin === undefined && numaNode === undefined && others.length > 0) {
    advice.push(
      `culvert host forwards on core ${first} unless told otherwise: --pin ${rangesOf(others)} ` +
        `keeps QEMU off it`,
    );
  }
  return advice;
}

function aboutNodes(
  { machine: { numaNode } }: QemuRequest,
  regions: readonly LocatedRegion[],
  host: HostMachine,
): string[] {
  if (host.nodes.length < 2) return [];
  return regions.filter(({ nodes }) => nodes?.length && !nodes.includes(numaNode!))
    .map(({ region, nodes }) =>
      `region ${region} is on NUMA node ${nodes!.join(", ")}: --numa-node ${nodes![0]} puts the ` +
      `guest there too`
    );
}

function aboutHugepages({ machine, guests }: QemuRequest, host: HostMachine): string[] {
  if (machine.hugepages === undefined) return [];
  const { pageKiB } = hugetlbMountOf(machine.hugepages, host);
  const pages = (machine.memoryMiB ?? MEMORY_MIB) * 1024 / pageKiB;
  if (!Number.isInteger(pages)) {
    throw new CulvertError(
      `Cannot take the guest's memory from ${machine.hugepages} as its pages have ${pageKiB} KiB: ` +
        `--memory must be a multiple of ${pageKiB / 1024} MiB`,
    );
  }
  const wanted = pages * guests.length;
  const free = host.freeHugepages.get(pageKiB) ?? 0;
  if (free >= wanted) return [];
  return [
    `the guest's memory takes ${wanted} pages of ${pageKiB} KiB, and ${free} are to be had: write ` +
    `more to /sys/kernel/mm/hugepages/hugepages-${pageKiB}kB/nr_hugepages`,
  ];
}

function aboutPlugging({ machine: { slots, qmp }, regions, output }: QemuRequest): string[] {
  const isPlugged = slots || regions.length === 0;
  if (!isPlugged || qmp !== undefined || output === "libvirt") return [];
  return ["no region can be plugged without --qmp SOCKET"];
}

/** Numbers, lowest first, as `taskset -c` takes them: `1-3,5`. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`).join(",");
}
