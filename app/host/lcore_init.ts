import type { HostLcoreInit } from "./host_lcore.ts";
import type { HostOptions } from "./host_options.ts";
import type { HostedRegion } from "./hosted_region.ts";

/** What lcore number `lcore` is sent: its ports, and only those guests and regions that they lead to. */
export function lcoreInit(
  lcore: number,
  regions: readonly HostedRegion[],
  { idle, burst }: Pick<HostOptions, "idle" | "burst">,
): HostLcoreInit {
  const used = regions.filter(({ guests }) => guests.some(({ lcores }) => lcores.includes(lcore)));
  const guests = used.flatMap((region, at) =>
    region.guests.filter(({ lcores }) => lcores.includes(lcore)).map((guest) => ({ guest, at }))
  );
  return {
    lcore,
    regions: used.map(({ forLcores }) => forLcores),
    guests: guests.map(({ guest: { number, gate, lcores }, at }) => ({
      region: at,
      number,
      gate: gate.handle,
      keeper: lcores.indexOf(lcore),
    })),
    lanes: guests.flatMap(({ guest }, at) =>
      guest.ports.filter((port) => port.lcore === lcore).map(({ opened, place, counters }) => ({
        guest: at,
        setup: opened.setup,
        place,
        counters,
      }))
    ),
    idle,
    burst,
  };
}
