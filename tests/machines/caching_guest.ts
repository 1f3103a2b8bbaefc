/**
 * What caching_test.ts runs in a VM: it maps the region through sysfs and through /dev/mem, and
 * prints what it finds.
 *
 * @module
 */
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { mapMemoryCached, mapPhysical } from "../../app/region/cached_bar.ts";
import { cachingAdvice, measureCaching } from "../../app/region/caching.ts";
import { HEADER } from "../../app/memory/layout.ts";
import { findIvshmem } from "../../app/linux/pci.ts";

/** A word that no memzone of the host has. */
const SPARE_WORD = (16 << 20) / 4 - 1;

const device = findIvshmem("auto");
if (!device) throw new Error("no ivshmem device");

function tell(way: string, memory: MappedMemory): void {
  const magic = memory.u32[HEADER.MAGIC_0].toString(16);
  const advice = cachingAdvice(measureCaching(memory)) ?? "cached";
  console.log(`${way}: ${magic}, ${memory.u32[SPARE_WORD]}, ${advice}`);
}

const memory = mapMemoryCached(device, (line) => console.log(`log: ${line}`));
memory.store(SPARE_WORD, 4711);
tell("sysfs", memory);
memory.close();
const physical = mapPhysical(device);
tell("physical", physical);
physical.store(SPARE_WORD, 815);
