import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { RegionLink } from "../../app/guest/region_link.ts";

/** A guest's link to memory of this process, without a server. */
export function testLink(memory: MappedMemory): RegionLink & { isClosed: boolean } {
  return {
    memory,
    description: "memory of this process",
    reconnected: 0,
    interrupts: () => undefined,
    poll() {},
    hostHasLeft: false,
    isCutOff: false,
    isClosed: false,
    close() {
      this.isClosed = true;
    },
  };
}
