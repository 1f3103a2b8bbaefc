import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";

/** Bytes of the region. */
export const MIB = 1 << 20;

/** A published region with one memzone. */
export function publish(memory: MappedMemory): Region {
  const region = Region.build(memory, "r0");
  region.addMemzone("g0", ZONE_KIND.GUEST, 384, 2);
  region.publish();
  return region;
}
