/**
 * Regions of this machine that VMs are to get.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
import { locateRegion, type RegionPlace } from "../region/region_source.ts";
import { type HostMachine, nodesOfRegion } from "./host_machine.ts";
import type { QemuRequest } from "./qemu_request.ts";

/** A region that was asked for, and where it is. */
export interface LocatedRegion extends RegionPlace {
  /** As it was asked for: a name or a path. */
  readonly region: string;
  /** NUMA nodes that its pages are on; left out where there is one node. */
  readonly nodes?: readonly number[];
}

/**
 * Find the regions that were asked for.
 *
 * @throws {CulvertError} If there is none of that name, or `--doorbell` is asked and none has a
 * server.
 */
export function locateRegions(request: QemuRequest, machine: HostMachine): LocatedRegion[] {
  const located = request.regions.map((region) => {
    const place = locateRegion(region);
    return machine.nodes.length < 2
      ? { region, ...place }
      : { region, ...place, nodes: nodesOfRegion(place.path) };
  });
  if (!request.machine.doorbell || located.length === 0 || located.some(hasDoorbell)) {
    return located;
  }
  throw new CulvertError(
    `Cannot give ${
      request.regions.join(", ")
    } a doorbell as no server hands out interrupts with it: ` +
      `leave --doorbell out, or keep the region at a \`culvert server\``,
  );
}

/** Whether its server hands out interrupts. */
export function hasDoorbell(place: RegionPlace): boolean {
  return place.socket !== undefined && place.vectors > 0;
}
