import type { FrameBurst } from "../function/frame_burst.ts";
import { swapAddresses } from "../mac_address.ts";

/** Super-frames pass whole. */
export const offloads = true;

/** testpmd `macswap`: source and destination address change places. */
export default function (burst: FrameBurst): void {
  swapAddresses(burst);
}
