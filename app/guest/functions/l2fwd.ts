import type { Burst } from "../../ring/burst.ts";
import type { GuestLane } from "../guest_lane.ts";
import { writeAddresses } from "../mac_address.ts";

/**
 * What happens to each frame: the function to change. As DPDK's l2fwd, the destination becomes
 * 02:00:00:00:00:PORT and the source the address of the port that sends, unless
 * `--no-mac-updating` says otherwise.
 */
export function l2fwd(burst: Burst, count: number, lane: GuestLane): number {
  if (lane.macUpdating) {
    for (let i = 0; i < count; i++) writeAddresses(lane.mbufs, burst, i, lane.addresses);
  }
  return count;
}
