/**
 * Plugs regions into VMs that run, and unplugs them, by QMP.
 *
 * A region in a VM is two things to QEMU: what is behind it (a memory backend, or a character
 * device to the region's server) and the PCI device. The guest's firmware or kernel has to let a
 * device in, and its kernel has to let go of it.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
import type { RegionPlace } from "../region/region_source.ts";
import { type PciBus, type PciDevice, pciDevices, type Slot, slotFor } from "./pci_slots.ts";
import { type QmpClient, QmpError } from "./qmp.ts";

/** How a region is to be plugged. */
export interface PlugOptions {
  /** The device's id in QEMU; see {@linkcode deviceId}. */
  readonly id: string;
  /** The bus to plug it into; a free slot if left out. */
  readonly bus?: string;
  /** Whether as a peer of the region's server (`ivshmem-doorbell`) rather than as mere memory. */
  readonly doorbell: boolean;
}

/** A region's device in a VM. */
export interface PluggedRegion {
  /** Its id, or its path in QEMU's object tree if it was given none. */
  readonly id: string;
  /** What is behind it. */
  readonly backing: Backing;
  /** The file of its memory, as QEMU was told; undefined if it got that from a server. */
  readonly path?: string;
}

/** What is behind a device. */
export interface Backing {
  /** A memory backend, or the character device that is connected to a server. */
  readonly kind: "object" | "chardev";
  /** Its id in QEMU. */
  readonly id: string;
}

const POLL_MS = 100;

/** How long what is behind a device stays busy after the device has gone. */
const RELEASE_MS = 3000;

/**
 * The id that a region's device gets by default: `culvert-` and the region's name, or the last
 * part of its path, with `_` for what QEMU does not allow in ids.
 */
export function deviceId(region: string): string {
  return `culvert-${lastOf(region).replace(/[^\w.-]/g, "_")}`;
}

/**
 * Plug a region into a running VM. If QEMU refuses a step, the one before is undone.
 *
 * With a doorbell, QEMU stands still until the server has sent its first messages, for ever if the
 * server ends before: see that it lives, as `locateRegion` does.
 *
 * @param name What people call the region.
 * @returns The slot.
 * @throws {CulvertError} if there is such a device already, there is no free slot, or QEMU refuses.
 */
export async function plugRegion(
  qmp: QmpClient,
  name: string,
  region: RegionPlace,
  { id, bus, doorbell }: PlugOptions,
): Promise<Slot> {
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot plug region ${name} as ${found}: ${wanted}`);
  if (doorbell && region.socket === undefined) {
    throw refuse("no server hands it out", "leave out --doorbell, or name a region of a server");
  }
  const devices = await allDevices(qmp);
  if (devices.some((device) => device.id === id)) {
    throw refuse(`the VM has a device ${id}`, "unplug that first, or choose another --id");
  }
  const slot = bus === undefined
    ? slotFor(await qmp.execute("query-pci"), await takenBuses(qmp, devices), region.bytes)
    : { bus, hasRoom: true };
  if (!slot) {
    throw refuse(
      "the VM has no free slot",
      "start QEMU with -device pcie-root-port,id=culvert-slot1,chassis=1,pref64-reserve=8G " +
        "(culvert qemu --hotplug 1), or name a bus (--bus)",
    );
  }
  const backing: Backing = doorbell
    ? { kind: "chardev", id: `${id}-server` }
    : { kind: "object", id: `${id}-memory` };
  await removeLeftover(qmp, backing);
  await addBacking(qmp, backing, region);
  const device = doorbell
    ? { driver: "ivshmem-doorbell", chardev: backing.id, vectors: region.vectors }
    : { driver: "ivshmem-plain", memdev: backing.id };
  try {
    await qmp.execute("device_add", { id, bus: slot.bus, ...device });
  } catch (error) {
    await removeBacking(qmp, backing).catch(() => {}); // the first error is the one to tell
    throw error;
  }
  return slot;
}

/**
 * Wait until the guest has given a device's memory an address and switched it on.
 *
 * @param patience Milliseconds.
 * @returns The device's PCI address in the guest, such as `0000:01:00.0`; undefined if it takes
 * longer.
 */
export async function untilMapped(
  qmp: QmpClient,
  id: string,
  patience: number,
): Promise<string | undefined> {
  for (const start = performance.now();; await pause(POLL_MS)) {
    const device = pciDevices(await qmp.execute<PciBus[]>("query-pci"))
      .find(({ qdev_id }) => qdev_id === id);
    if (device && isMapped(device)) return addressOf(device);
    if (performance.now() - start > patience) return undefined;
  }
}

/** All devices that are regions. */
export async function regionDevices(qmp: QmpClient): Promise<PluggedRegion[]> {
  const regions: PluggedRegion[] = [];
  for (const { id, path, type } of await allDevices(qmp)) {
    if (type === "child<ivshmem-plain>") {
      const backend = await property(qmp, path, "memdev"); // a path in the object tree
      const backing: Backing = { kind: "object", id: lastOf(backend) };
      regions.push({ id, backing, path: await fileOf(qmp, backend) });
    } else if (type === "child<ivshmem-doorbell>") {
      regions.push({ id, backing: { kind: "chardev", id: await property(qmp, path, "chardev") } });
    }
  }
  return regions;
}

/**
 * Unplug a device and release what is behind it. Programs in the guest must have let go of it.
 *
 * @param patience Milliseconds that the guest's kernel may take: with PCI Express's own hotplug
 * more than 5 s.
 * @throws {CulvertError} if QEMU refuses or the guest's kernel does not let go in time.
 */
export async function unplugDevice(
  qmp: QmpClient,
  { id, backing }: PluggedRegion,
  patience: number,
): Promise<void> {
  const deleted = qmp.event(
    ({ event, data }) => event === "DEVICE_DELETED" && (data.device === id || data.path === id),
    patience,
  );
  try {
    await qmp.execute("device_del", { id });
  } catch (error) {
    // The guest was asked before, and is still at it. QEMU has no error class of its own for this.
    if (!(error instanceof QmpError && /process of unplug/.test(error.description))) throw error;
  }
  if (!await deleted) {
    throw new CulvertError(
      `Cannot unplug ${id} as the guest's kernel has not let go of it in ${patience / 1000} s: ` +
        "is it running, does it know PCI hotplug? Try again",
    );
  }
  await removeBacking(qmp, backing);
}

/** A device that QEMU was told to make, of any type. */
interface Device {
  /** As `device_del` wants it: the id, or if there is none the path. */
  readonly id: string;
  /** In QEMU's object tree. */
  readonly path: string;
  /** Such as `child<ivshmem-plain>`. */
  readonly type: string;
}

async function allDevices(qmp: QmpClient): Promise<Device[]> {
  const [named, anonymous] = ["/machine/peripheral", "/machine/peripheral-anon"];
  const devicesIn = async (folder: string) =>
    (await list(qmp, folder)).filter(({ type }) => type.startsWith("child<"))
      .map(({ name, type }) => ({ id: name, path: `${folder}/${name}`, type }));
  const nameless = (await devicesIn(anonymous)).map((device) => ({ ...device, id: device.path }));
  return [...await devicesIn(named), ...nameless];
}

async function takenBuses(qmp: QmpClient, devices: readonly Device[]): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const { path } of devices) taken.add(lastOf(await property(qmp, path, "parent_bus")));
  return taken;
}

/** The last name in a path. */
function lastOf(path: string): string {
  return path.split("/").pop()!;
}

async function addBacking(qmp: QmpClient, { kind, id }: Backing, region: RegionPlace) {
  if (kind === "object") {
    await qmp.execute("object-add", {
      "qom-type": "memory-backend-file",
      id,
      "mem-path": region.path,
      size: region.bytes,
      share: true,
    });
  } else {
    const addr = { type: "unix", data: { path: region.socket } };
    const backend = { type: "socket", data: { addr, server: false } };
    await qmp.execute("chardev-add", { id, backend });
  }
}

/**
 * Remove what was behind a device. QEMU may still hold it for a moment after the device is gone.
 */
async function removeBacking(qmp: QmpClient, { kind, id }: Backing): Promise<void> {
  const command = kind === "object" ? "object-del" : "chardev-remove";
  for (const start = performance.now();; await pause(POLL_MS)) {
    try {
      await qmp.execute(command, { id });
      return;
    } catch (error) {
      const isBusy = error instanceof QmpError && /in use|busy/.test(error.description);
      if (!isBusy || performance.now() - start > RELEASE_MS) throw error;
    }
  }
}

/** Remove what is left of a device that the guest let go of after `culvert unplug` had given up. */
async function removeLeftover(qmp: QmpClient, backing: Backing): Promise<void> {
  const isThere = backing.kind === "object"
    ? (await list(qmp, "/objects")).some(({ name }) => name === backing.id)
    : (await qmp.execute<{ label: string }[]>("query-chardev"))
      .some(({ label }) => label === backing.id);
  if (isThere) await removeBacking(qmp, backing);
}

function list(qmp: QmpClient, path: string): Promise<{ name: string; type: string }[]> {
  return qmp.execute("qom-list", { path });
}

function property(qmp: QmpClient, path: string, property: string): Promise<string> {
  return qmp.execute("qom-get", { path, property });
}

/** A memory backend's file; undefined if it is of a kind that has none. */
async function fileOf(qmp: QmpClient, backend: string): Promise<string | undefined> {
  try {
    return await property(qmp, backend, "mem-path");
  } catch (error) {
    if (error instanceof QmpError) return undefined;
    throw error;
  }
}

function isMapped({ regions }: PciDevice): boolean {
  return regions.some(({ bar, address }) => bar === 2 && address >= 0);
}

function addressOf({ bus, slot, function: number }: PciDevice): string {
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  return `0000:${hex(bus)}:${hex(slot)}.${number}`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
