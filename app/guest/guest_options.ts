import type { IdleMode } from "../lcore/idle.ts";
import type { OnError } from "./function/chain.ts";
import type { FunctionSpec } from "./function/load.ts";
import type { RegionSource } from "./region_link.ts";

/** What a guest is asked to do; see `culvert guest --help`. */
export interface GuestOptions {
  /** Where the region is. */
  readonly source: RegionSource;
  /** The place in the region that it claims, from 0. */
  readonly guest: number;
  /** Cores to pin lcores to, one each; a core that no port is left for stays idle. */
  readonly cores: readonly number[];
  /** What is done to frames, in order. */
  readonly functions: readonly FunctionSpec[];
  /** Checks the types of functions that take over from others, if that is wanted. */
  readonly checkTypes?: (named: readonly string[]) => Promise<void>;
  /** What becomes of frames whose function has thrown. */
  readonly onError: OnError;
  /** Whether all that functions do is looked at, which takes time. */
  readonly isChecked: boolean;
  /** Whether functions are taken that `culvert push` leaves in the region. */
  readonly takesPushes: boolean;
  /** Ports to use, in hexadecimal, as `-p` has it; all if there is none. */
  readonly portMask?: string;
  /** Pairs, as `--portmap` has them: `(0,1)(2,3)`; neighbours if there are none. */
  readonly portMap?: string;
  /** Ports that one lcore polls at most. */
  readonly portsPerLcore?: number;
  /** Seconds between two tables; 0 for none. */
  readonly statsPeriod: number;
  /** What an lcore does in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
}
