import type { HostMachine } from "../../app/vm/host_machine.ts";
import { type Launch, planLaunches } from "../../app/vm/launch.ts";
import type { LocatedRegion } from "../../app/vm/located_region.ts";
import type { QemuRequest } from "../../app/vm/qemu_request.ts";
import { qemuRequest } from "../../app/cli/qemu_request.ts";
import { QEMU } from "../../app/cli/tables/vm.ts";
import { parsed } from "../cli/tables.ts";

/** Four cores, one node, nothing special. */
export const MACHINE: HostMachine = {
  hasKvm: false,
  cores: [0, 1, 2, 3],
  nodes: [{ number: 0, cores: "0-3" }],
  hugetlbMounts: [{ folder: "/dev/hugepages", pageKiB: 2048 }],
  freeHugepages: new Map([[2048, 1000]]),
};

/** A region that a server has. */
export const SERVED: LocatedRegion = {
  region: "culvert0",
  path: "/proc/12/fd/3",
  bytes: 2 ** 26,
  socket: "/run/culvert/culvert0.sock",
  vectors: 4,
};

/** A region that is a file. */
export const FILE: LocatedRegion = {
  region: "/dev/shm/r",
  path: "/dev/shm/r",
  bytes: 2 ** 20,
  vectors: 0,
};

/** What a command line asks for. */
export function request(...args: string[]): QemuRequest {
  return qemuRequest(parsed(QEMU, args));
}

/** The launches of a command line, on regions that are there. */
export function launches(
  args: string[],
  regions: LocatedRegion[] = [SERVED],
  machine: HostMachine = MACHINE,
): Launch[] {
  const image = { kernel: "/k/vmlinuz", initrd: "/k/initrd" };
  return planLaunches(request(...args), regions, image, machine);
}
