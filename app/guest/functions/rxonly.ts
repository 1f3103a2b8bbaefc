import type { FrameBurst } from "../function/frame_burst.ts";

/** Nothing is sent: a port needs no other to be paired with. */
export const answers = true;

/** testpmd `rxonly`: frames are received, counted and dropped. */
export default function (burst: FrameBurst): void {
  for (let i = 0; i < burst.count; i++) burst.drop(i);
}
