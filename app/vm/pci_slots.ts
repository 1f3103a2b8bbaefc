/**
 * Finds a free slot in what QEMU's `query-pci` tells of a machine.
 *
 * @module
 */

/** A PCI bus without a bridge before it. */
export interface PciBus {
  /** The bus's number, as the guest counts. */
  readonly bus: number;
  /** What is on it. */
  readonly devices: readonly PciDevice[];
}

/** A PCI device; numbers are as the guest's firmware or kernel has set them. */
export interface PciDevice {
  /** The id that it was given; empty if none. */
  readonly qdev_id: string;
  /** The number of the bus that it is on. */
  readonly bus: number;
  /** Its place on that bus. */
  readonly slot: number;
  /** One of up to 8 devices at that place. */
  readonly function: number;
  /** Vendor and device id. */
  readonly id: { readonly vendor: number; readonly device: number };
  /** Its BARs; the address is -1 while the guest has not set it or has the device switched off. */
  readonly regions: readonly { readonly bar: number; readonly address: number }[];
  /** What is behind it, if it is a bridge. */
  readonly pci_bridge?: {
    /** The bus behind it, with the addresses that it lets through. */
    readonly bus: {
      readonly prefetchable_range: { readonly base: number; readonly limit: number };
    };
    /** What is on that bus. */
    readonly devices?: readonly PciDevice[];
  };
}

/** Where a device can be plugged. */
export interface Slot {
  /** The bus's name in QEMU. */
  readonly bus: string;
  /** Whether the guest has addresses to spare there for the region. */
  readonly hasRoom: boolean;
}

/** PCI Express ports that take one device each: `pcie-root-port`, `ioh3420`. */
const ROOT_PORTS = ["1b36:000c", "8086:3420"];

/** The host bridge of the machine `pc`, whose bus takes devices while it runs. */
const I440FX = "8086:1237";

/** All devices, those behind bridges included. */
export function pciDevices(buses: readonly PciBus[]): PciDevice[] {
  const withInner = (device: PciDevice): PciDevice[] => [
    device,
    ...(device.pci_bridge?.devices ?? []).flatMap(withInner),
  ];
  return buses.flatMap(({ devices }) => devices.flatMap(withInner));
}

/**
 * A slot for a region of so many bytes: a free root port, preferably one with room and meant for us
 * (`culvert-...`); on the machine `pc` its only bus.
 *
 * @param taken Names of buses that have a device. `query-pci` does not tell before the guest's
 * firmware has numbered them.
 * @returns undefined if there is none.
 */
export function slotFor(
  buses: readonly PciBus[],
  taken: ReadonlySet<string>,
  bytes: number,
): Slot | undefined {
  const devices = pciDevices(buses);
  const free = devices
    .filter((port) => ROOT_PORTS.includes(kindOf(port)) && port.qdev_id !== "")
    .map((port) => ({ bus: port.qdev_id, hasRoom: hasRoom(port, bytes) })) // a port names its bus
    .filter(({ bus }) => !taken.has(bus));
  const rank = ({ bus, hasRoom }: Slot) => (hasRoom ? 0 : 2) + (bus.startsWith("culvert-") ? 0 : 1);
  const best = free.sort((a, b) => rank(a) - rank(b))[0];
  if (best) return best;
  if (devices.some((device) => kindOf(device) === I440FX)) return { bus: "pci.0", hasRoom: true };
}

function kindOf({ id }: PciDevice): string {
  const hex = (value: number) => value.toString(16).padStart(4, "0");
  return `${hex(id.vendor)}:${hex(id.device)}`;
}

/** Whether so many bytes fit between the port's addresses, aligned to their number as PCI wants. */
function hasRoom({ pci_bridge }: PciDevice, bytes: number): boolean {
  const { base, limit } = pci_bridge!.bus.prefetchable_range;
  return Math.ceil(base / bytes) * bytes + bytes - 1 <= limit;
}
