import type { ForwardingMode } from "../guest_lane.ts";
import { l2fwd } from "./l2fwd.ts";
import { icmpecho } from "./icmpecho.ts";
import { io, mac, macswap, rxonly } from "./simple.ts";
import { txonly } from "./txonly.ts";

/** The forwarding modes by name: l2fwd, and testpmd's. */
export const MODES: Readonly<Record<string, ForwardingMode>> = {
  l2fwd,
  io,
  mac,
  macswap,
  icmpecho,
  rxonly,
  txonly,
};

/** Modes that answer by the port a frame came to, rather than forward to the paired one. */
export const ANSWERING_MODES: readonly string[] = ["icmpecho", "txonly", "rxonly"];
