import type { Mbufs } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import type { TxBuffer } from "./tx_buffer.ts";
import type { VirtualPort } from "./virtual_port.ts";

/** One way through the guest: where frames come from, and where they go. */
export interface GuestLane {
  /** The region's mbufs. */
  readonly mbufs: Mbufs;
  /** Where frames are received. */
  readonly from: VirtualPort;
  /** Where they are sent: the paired port's buffer, or, for modes that answer, `from`'s own. */
  readonly out: TxBuffer;
  /** Whether l2fwd rewrites MAC addresses. */
  readonly macUpdating: boolean;
  /**
   * What is written there, as `addressWords` makes it: destination 02:00:00:00:00:PORT, source the
   * address of the port that sends (DPDK l2fwd).
   */
  readonly addresses: Uint32Array;
  /** Length of the frames that txonly makes, in bytes. */
  readonly txBytes: number;
}

/**
 * What a forwarding mode does with a burst: rewrite frames in place, reorder or drop descriptors.
 * Dropped frames are to be given to `lane.from.free`.
 *
 * @param count Frames in `burst`; 0 only for a mode that originates frames.
 * @returns how many frames, from the start of `burst`, go out.
 */
export type ForwardingMode = (burst: Burst, count: number, lane: GuestLane) => number;
