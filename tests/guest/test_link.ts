import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { RegionLink } from "../../app/guest/region_link.ts";

/** A link that a test changes. */
export type TestLink = { -readonly [K in keyof RegionLink]: RegionLink[K] } & { isClosed: boolean };

/** A guest's link to memory of this process, without a server. */
export function testLink(memory: MappedMemory): TestLink {
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
