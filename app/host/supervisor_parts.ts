import type { GuestState } from "../channel/guest_state.ts";
import type { Ledger } from "../channel/ledger.ts";
import type { Mempool } from "../mempool/mempool.ts";
import type { Gate } from "./gate.ts";
import type { ViolationCounters } from "./violation_counters.ts";
import type { RegionPeers } from "./region_peers.ts";

/** What a supervisor looks after, and works with. */
export interface SupervisorParts {
  /** The guest's place, as the ledger numbers it. */
  readonly guest: number;
  /** What the log calls it: `guest 0`. */
  readonly name: string;
  /** Its control memzone. */
  readonly state: GuestState;
  /** The gate in front of it. */
  readonly gate: Gate;
  /** Its region's. */
  readonly ledger: Ledger;
  /** The main thread's own end: what a guest held is freed there. */
  readonly mempool: Mempool;
  /** The region's peers, of whom the guest may be one. */
  readonly peers: RegionPeers;
  /** What the guest has done wrong: too much of it, and it is put in quarantine. */
  readonly violations: ViolationCounters;
  /** Told how many mbufs were swept up. */
  readonly takenBack: (mbufs: number) => void;
  /** Wipes the region's mbufs once a guest has gone and all lanes have let go of them; left out for never. */
  readonly wipe?: () => void;
  /** Wakes the lcores, to look at the gate. */
  readonly wakeLcores: () => void;
  /** Told in one line of each guest that comes or goes; of one that is put in quarantine, as rare as that is. */
  readonly log: (line: string, isRare?: boolean) => void;
}
