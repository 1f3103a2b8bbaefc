import { findIvshmem, type IvshmemDevice, ivshmemDevices, mapFirstPage } from "../linux/pci.ts";
import { HEADER, MAGIC } from "../memory/layout.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";

/**
 * First pages of devices that were mapped, by the devices' addresses, so that none is mapped twice.
 */
const pages = new Map<string, MappedMemory>();

/**
 * Find an ivshmem device.
 *
 * @param address A PCI address; or `auto` for the one that has a region, if there are several.
 * @returns undefined if there is none, or if `auto` finds only devices whose memory holds something
 * else.
 * @throws {UsageError} if that is no address.
 */
export function chooseIvshmem(address: string): IvshmemDevice | undefined {
  const found = findIvshmem(address);
  if (address !== "auto") return found;
  return chooseOurs(ivshmemDevices(), (device) => {
    let page = pages.get(device.address);
    if (page === undefined) pages.set(device.address, page = mapFirstPage(device));
    return page.u32;
  });
}

/**
 * The first device that has a region; if none has, the first whose memory is blank, as a host may
 * still build one there. A device that is alone is taken, whatever it has.
 *
 * @param wordsOf Gives the first words of a device's memory.
 */
export function chooseOurs(
  devices: readonly IvshmemDevice[],
  wordsOf: (device: IvshmemDevice) => Uint32Array,
): IvshmemDevice | undefined {
  if (devices.length < 2) return devices[0];
  const startsWith = ([first, second]: readonly [number, number]) => {
    return devices.find((device) => {
      if (device.bytes === 0) return false;
      const words = wordsOf(device);
      return words[HEADER.MAGIC_0] === first && words[HEADER.MAGIC_1] === second;
    });
  };
  return startsWith(MAGIC) ?? startsWith([0, 0]);
}
