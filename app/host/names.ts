import type { RegionOptions } from "./host_options.ts";

/** What logs and tables call guests and ports: as much as it takes to tell them apart. */
export interface Names {
  /** `guest 1`, or with several regions `guest 1 of region b`. */
  guest(region: string, number: number): string;
  /** `tap0`, or with several guests `tap0 (guest 1)`, with several regions `tap0 (b, guest 1)`. */
  port(name: string, region: string, guest: number): string;
}

/** Names for a host of these regions. */
export function namesFor(regions: readonly RegionOptions[]): Names {
  const hasRegions = regions.length > 1;
  const hasGuests = hasRegions || regions.some(({ guests }) => guests.length > 1);
  return {
    guest: (region, number) => `guest ${number}${hasRegions ? ` of region ${region}` : ""}`,
    port(name, region, guest) {
      if (!hasGuests) return name;
      return `${name} (${hasRegions ? `${region}, ` : ""}guest ${guest})`;
    },
  };
}
