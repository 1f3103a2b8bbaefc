/**
 * From what was asked for to commands that start VMs.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
import { adviceFor } from "./advice.ts";
import type { RegionDevice } from "./devices.ts";
import type { HostMachine } from "./host_machine.ts";
import type { GuestImage } from "./image.ts";
import { hasDoorbell, type LocatedRegion } from "./located_region.ts";
import { qemuArguments, type QemuOptions } from "./qemu.ts";
import type { QemuRequest } from "./qemu_request.ts";

/** A VM that can be started. */
export interface Launch {
  /** The guest's number. */
  readonly guest: number;
  /** What to run: QEMU, or a program that runs it on certain cores. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Lines for people. */
  readonly advice: readonly string[];
  /** The regions that the guest sees, in the order of its devices. */
  readonly regions: readonly LocatedRegion[];
  /** What `args` were made from. */
  readonly options: QemuOptions;
}

/**
 * The VMs that were asked for, one for each guest.
 *
 * @throws {CulvertError} If this machine lacks what was asked for, such as a NUMA node.
 * @throws {RangeError} As `qemuArguments`.
 */
export function planLaunches(
  request: QemuRequest,
  regions: readonly LocatedRegion[],
  image: GuestImage,
  machine: HostMachine,
): Launch[] {
  const advice = adviceFor(request, regions, machine);
  const cores = coresFor(request, machine);
  return request.guests.map((guest) => {
    const options = optionsOf(guest, request, regions, image);
    const words = [request.program, ...qemuArguments(options)];
    const [program, ...args] = cores ? ["taskset", "-c", cores, ...words] : words;
    return { guest, program, args, advice, regions, options };
  });
}

function optionsOf(
  guest: number,
  request: QemuRequest,
  regions: readonly LocatedRegion[],
  image: GuestImage,
): QemuOptions {
  const { machine, numbered, guests } = request;
  const [command, ...rest] = machine.guestArgs;
  return {
    ...machine,
    image,
    regions: regions.map((place) => deviceOf(place, request)),
    guestArgs: numbered ? [command, "--guest", `${guest}`, ...rest] : machine.guestArgs,
    qmp: machine.qmp && guests.length > 1 ? `${machine.qmp}.${guest}` : machine.qmp,
  };
}

function deviceOf(place: LocatedRegion, request: QemuRequest): RegionDevice {
  if (request.machine.doorbell && hasDoorbell(place)) {
    return { socket: place.socket!, vectors: request.vectors ?? place.vectors };
  }
  return { file: place.path, bytes: place.bytes };
}

function coresFor(request: QemuRequest, machine: HostMachine): string | undefined {
  const { numaNode } = request.machine;
  if (numaNode === undefined) return request.pin;
  const node = machine.nodes.find(({ number }) => number === numaNode);
  if (node) return request.pin ?? (node.cores || undefined);
  throw new CulvertError(
    `Cannot use NUMA node ${numaNode} as this machine has ` +
      `${machine.nodes.map(({ number }) => number).join(", ") || "none"}: choose one of these`,
  );
}
