import type { Burst } from "../../ring/burst.ts";
import type { GuestLane } from "../guest_lane.ts";
import { swapAddresses, writeAddresses } from "../mac_address.ts";

/** testpmd `io`: frames go out as they came in. */
export function io(_burst: Burst, count: number, _lane: GuestLane): number {
  return count;
}

/** testpmd `mac`: source and destination address are written, as {@linkcode l2fwd} always does. */
export function mac(burst: Burst, count: number, lane: GuestLane): number {
  for (let i = 0; i < count; i++) writeAddresses(lane.mbufs, burst, i, lane.addresses);
  return count;
}

/** testpmd `macswap`: source and destination address change places. */
export function macswap(burst: Burst, count: number, lane: GuestLane): number {
  for (let i = 0; i < count; i++) swapAddresses(lane.mbufs, burst, i);
  return count;
}

/** testpmd `rxonly`: frames are received, counted and dropped. */
export function rxonly(burst: Burst, count: number, lane: GuestLane): number {
  lane.from.drop(burst, count);
  return 0;
}
