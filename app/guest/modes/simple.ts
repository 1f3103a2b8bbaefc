import type { ForwardingMode } from "../guest_lane.ts";
import { swapAddresses, writeAddresses } from "../mac_address.ts";

/** testpmd `io`: frames go out as they came in. */
export const io: ForwardingMode = (_burst, count) => count;

/** testpmd `mac`: source and destination address are written, as {@linkcode l2fwd} always does. */
export const mac: ForwardingMode = (burst, count, lane) => {
  for (let i = 0; i < count; i++) writeAddresses(lane.mbufs, burst, i, lane.addresses);
  return count;
};

/** testpmd `macswap`: source and destination address change places. */
export const macswap: ForwardingMode = (burst, count, lane) => {
  for (let i = 0; i < count; i++) swapAddresses(lane.mbufs, burst, i);
  return count;
};

/** testpmd `rxonly`: frames are received, counted and dropped. */
export const rxonly: ForwardingMode = (burst, count, lane) => {
  if (count > 0) lane.from.free(burst, count);
  return 0;
};
