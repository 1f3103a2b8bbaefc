import type { Log } from "../linux/log.ts";
import type { GuestThread } from "./lcore_run.ts";
import type { RegionLink } from "./region_link.ts";

/** What a guest runs on: Workers and real regions in programs, one thread in tests. */
export interface GuestPlatform {
  /** Opens the region; undefined if there is none yet. */
  openLink(): RegionLink | undefined;
  /** The names of the regions that there are, for a user who has misspelled one. */
  regionNames(): readonly string[];
  /** Makes the thread of an lcore. */
  spawn(core: number): GuestThread;
  /** Milliseconds that have passed since some moment. */
  clock(): number;
  /** Told what happens, a line at a time. */
  readonly log: Log;
  /** Called when there is something to be done by {@linkcode Guest.step}, earlier than it said. */
  wake(): void;
}
