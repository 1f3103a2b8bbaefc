import type { Burst } from "../../ring/burst.ts";

/** What `FrameBurst` asks of the lane that it is used in. */
export interface FrameSource {
  /**
   * Take an empty mbuf that the host has lent, as descriptor `at` of `burst`; false if none is
   * there.
   */
  allocTo(burst: Burst, at: number): boolean;
  /** Copy the frame of descriptor `from` of `burst` into the empty mbuf of descriptor `to`. */
  copyFrame(burst: Burst, from: number, to: number): boolean;
}
