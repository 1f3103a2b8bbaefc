import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { openRegion } from "../ivshmem/region_source.ts";
import { mapMemoryCached } from "../memory/cached_bar.ts";
import { findIvshmem, type IvshmemDevice, mapRegisters } from "../memory/pci.ts";
import { type Interrupts, REGISTER } from "./interrupts.ts";
import { type DeviceInterrupts, openInterrupts } from "./vfio.ts";

/** A region of this machine, by name or path; or else the PCI device that it is. */
export type RegionSource = { readonly region: string } | { readonly pci: string };

/** A guest's way to a region: its memory, and its place among the region's peers. */
export interface RegionLink {
  /** All of it, mapped. */
  readonly memory: MappedMemory;
  /** What it is, for people. */
  readonly description: string;
  /** Our peer id; undefined where there is none, and so nobody to wake us. */
  readonly peer?: number;
  /** How to be woken, and to wake the host, given its peer id; undefined if that is not to be had. */
  interrupts(host: number | undefined): Interrupts | undefined;
  /** Whether a peer is known to be gone. Looks for news. */
  hasLeft(peer: number): boolean;
  /** Let go of everything. No lcore may be using it. */
  close(): void;
  /** Whether the device is still plugged in; undefined for memory that cannot vanish under us. */
  isPlugged?(): boolean;
}

/**
 * Open a region.
 *
 * @returns undefined if there is none yet.
 * @throws {CulvertError} if it may not be opened.
 */
export function openRegionLink(
  source: RegionSource,
  log: (line: string) => void,
): RegionLink | undefined {
  if ("region" in source) return openProcessLink(source.region);
  const device = findIvshmem(source.pci);
  return device && openDeviceLink(device, log);
}

/** A process beside the host: a peer of the region's server, if it has one. */
function openProcessLink(region: string): RegionLink | undefined {
  const opened = openRegion(region);
  if (!opened) return undefined;
  const { memory, peer } = opened;
  const gone = new Map<number, readonly number[]>();
  return {
    memory,
    description: `region ${region}`,
    peer: peer?.id,
    interrupts(host) {
      const eventfds = host === undefined ? undefined : peer?.others.get(host);
      return peer && eventfds && { vectors: peer.vectors, host: { eventfds } };
    },
    hasLeft(id) {
      for (const event of peer?.poll() ?? []) {
        if (event.kind === "left") gone.set(event.id, event.eventfds);
      }
      return gone.has(id);
    },
    close() {
      for (const fd of [...gone.values()].flat()) shim.shim_fd_close(fd);
      opened.close();
    },
  };
}

/** In a VM: a PCI device, with interrupts if it is an ivshmem-doorbell and vfio has it. */
function openDeviceLink(device: IvshmemDevice, log: (line: string) => void): RegionLink {
  const { address, bytes } = device;
  const interrupts = device.hasInterrupts ? tryInterrupts(address, log) : undefined;
  const memory = mapMemoryCached(device, log);
  const registers = interrupts && mapRegisters(device);
  const word = device.registersOffset / 4;
  return {
    memory,
    description: `region is PCI device ${address}, BAR2, ${bytes / 2 ** 20} MiB, ` +
      (interrupts ? `${interrupts.vectors.length} interrupts` : "no interrupts"),
    peer: registers?.load(word + REGISTER.IV_POSITION),
    interrupts(host) {
      if (!interrupts || !registers || host === undefined) return undefined;
      return {
        vectors: interrupts.vectors,
        host: { registers: registers.handle, doorbell: word + REGISTER.DOORBELL, peer: host },
      };
    },
    hasLeft: () => false,
    close() {
      registers?.close();
      memory.close();
      interrupts?.close();
    },
    isPlugged: () => findIvshmem(address) !== undefined,
  };
}

function tryInterrupts(address: string, log: (line: string) => void): DeviceInterrupts | undefined {
  try {
    return openInterrupts(address);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    log(`no interrupts, so idle lcores poll: ${error.message}`);
  }
}
