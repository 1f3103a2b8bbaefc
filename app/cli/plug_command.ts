/**
 * The commands `culvert plug` and `culvert unplug`.
 *
 * @module
 */

import { CulvertError, UsageError } from "../../ffi/error.ts";
import { locateRegion } from "../region/region_source.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { checkUsage, type Parsed } from "./options.ts";
import type { PLUG, UNPLUG } from "./tables/plug.ts";
import { DetachRequest } from "../vm/detach_request.ts";
import {
  deviceId,
  type PluggedRegion,
  plugRegion,
  regionDevices,
  unplugDevice,
  untilMapped,
} from "../vm/plug.ts";
import { QmpClient } from "../vm/qmp.ts";

/** How long a guest may take to see a device: by PCI Express's own hotplug some seconds. */
const MAPPED_MS = 10_000;

/** `culvert plug`: returns the exit status. */
export async function plugCommand({ values }: Parsed<typeof PLUG>): Promise<number> {
  const { region, bus, doorbell } = values;
  const socket = readQmp(values.qmp);
  checkUsage(() => checkRegionName(region));
  const id = readId(values.id) ?? deviceId(region);
  const place = locateRegion(region);
  using qmp = await QmpClient.connect(socket);
  const slot = await plugRegion(qmp, region, place, { id, bus, doorbell });
  console.error(`culvert plug: region ${region} is device ${id} in ${slot.bus}`);
  if (!await isRunning(qmp)) {
    console.error("culvert plug: the VM is paused, and will see it when it runs");
    return 0;
  }
  const address = await untilMapped(qmp, id, MAPPED_MS);
  if (address !== undefined) {
    console.error(
      `culvert plug: in the guest it is PCI device ${address}; unless a guest waits there, run:`,
    );
    console.log(`culvert guest --pci ${address}`);
    return 0;
  }
  console.error(
    `culvert plug: the guest has not switched it on in ${MAPPED_MS / 1000} s. ` +
      (slot.hasRoom
        ? "It may still boot, or run no `culvert guest --pci auto`"
        : `${slot.bus} has too few addresses: see what the guest's kernel says (dmesg), and start ` +
          "QEMU with pref64-reserve=8G for that port"),
  );
  return 0;
}

/** `culvert unplug`: returns the exit status. */
export async function unplugCommand({ values }: Parsed<typeof UNPLUG>): Promise<number> {
  const { force, guest } = values;
  const socket = readQmp(values.qmp);
  const patience = values.timeout * 1000;
  const id = readId(values.id);
  const region = values.region ?? (id === undefined ? "culvert0" : undefined);
  if (region !== undefined) checkUsage(() => checkRegionName(region));
  using qmp = await QmpClient.connect(socket);
  const path = region === undefined ? undefined : tryLocate(region, force);
  const device = await findDevice(qmp, region, path, id);
  if (!force && !await isRunning(qmp)) {
    throw new CulvertError(
      `Cannot unplug ${device.id} as the VM is paused: let it run, its kernel must let go`,
    );
  }
  if (!force && device.backing.kind === "chardev") {
    throw new CulvertError(
      `Cannot unplug ${device.id} as it is an ivshmem-doorbell: QEMU mostly dies of that, it frees ` +
        "memory twice if a peer has left before; end the VM, or plug without --doorbell next time",
    );
  }
  using request = tryDetachRequest(path ?? device.path, region ?? device.id, guest, force);
  if (request && !await request.isGone(patience)) {
    const found = `guest ${request.guest} does not leave, it is ${request.stateName}`;
    if (!force) {
      throw new CulvertError(
        `Cannot unplug ${device.id} as ${found}: see what it says, or unplug by --force`,
      );
    }
    console.error(`culvert unplug: ${found}; unplugging all the same`);
  }
  await unplugDevice(qmp, device, patience);
  console.error(`culvert unplug: ${device.id} is unplugged`);
  return 0;
}

/** The region's file; undefined with `force`, if the region has no server any more. */
function tryLocate(region: string, force: boolean): string | undefined {
  return unless(force, () => locateRegion(region).path);
}

/** Ask the guest to detach; undefined with `force`, if it cannot be asked. */
function tryDetachRequest(
  path: string | undefined,
  name: string,
  guest: number | undefined,
  force: boolean,
): DetachRequest | undefined {
  return unless(force, () => {
    if (path !== undefined) return DetachRequest.ask(path, name, guest);
    throw new UsageError(
      `Cannot tell which region ${name} is as it is a server's: name that too, by --region`,
    );
  });
}

/** Do `body`. With `force`, an error is printed, and is no obstacle. */
function unless<T>(force: boolean, body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    if (force) return void console.error(`culvert unplug: ${error.message}; going on`);
    throw error instanceof UsageError ? error : new CulvertError(
      `${error.message}. The guest cannot be asked to leave: stop it in the VM, then use --force`,
      { cause: error },
    );
  }
}

async function findDevice(
  qmp: QmpClient,
  region: string | undefined,
  path: string | undefined,
  id: string | undefined,
): Promise<PluggedRegion> {
  const devices = await regionDevices(qmp);
  const wanted = id ?? deviceId(region!);
  const found = devices.find((device) => device.id === wanted) ??
    (id === undefined ? devices.find((d) => d.path !== undefined && d.path === path) : undefined);
  if (found) return found;
  const there = devices.map((device) => device.id).join(", ") || "none";
  throw new CulvertError(
    `Cannot unplug ${wanted} as the VM has no such device: its regions are ${there} (--id)`,
  );
}

async function isRunning(qmp: QmpClient): Promise<boolean> {
  return (await qmp.execute<{ running: boolean }>("query-status")).running;
}

function readQmp(socket: string | undefined): string {
  if (socket !== undefined) return socket;
  throw new UsageError(
    "Cannot reach QEMU without --qmp: pass the SOCKET of its -qmp unix:SOCKET,server=on,wait=off",
  );
}

function readId(id: string | undefined): string | undefined {
  if (id === undefined || /^[A-Za-z][\w.-]*$/.test(id)) return id;
  throw new UsageError(
    `Cannot use --id ${id} as it is no id: a letter, then letters, digits, "-", "." and "_"`,
  );
}
