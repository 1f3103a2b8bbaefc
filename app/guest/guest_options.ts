import type { IdleMode } from "../lcore/idle.ts";
import type { RegionSource } from "./region_link.ts";

/** What a guest is asked to do; see `culvert guest --help`. */
export interface GuestOptions {
  /** Where the region is. */
  readonly source: RegionSource;
  /** The place in the region that it claims, from 0. */
  readonly guest: number;
  /** Cores to pin lcores to, one each; a core that no port is left for stays idle. */
  readonly cores: readonly number[];
  /** A key of `MODES`. */
  readonly mode: string;
  /** Whether l2fwd rewrites MAC addresses; other modes do not ask. */
  readonly macUpdating: boolean;
  /** Ports to use, in hexadecimal, as `-p` has it; all if there is none. */
  readonly portMask?: string;
  /** Pairs, as `--portmap` has them: `(0,1)(2,3)`; neighbours if there are none. */
  readonly portMap?: string;
  /** Ports that one lcore polls at most. */
  readonly portsPerLcore?: number;
  /** Seconds between two tables; 0 for none. */
  readonly statsPeriod: number;
  /** Frames of this many bytes are made by txonly. */
  readonly txBytes: number;
  /** What an lcore does in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
}
