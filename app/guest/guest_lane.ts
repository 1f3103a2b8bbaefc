import type { Mbufs } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import { addressWords } from "./mac_address.ts";
import { TxBuffer } from "./tx_buffer.ts";
import type { RxEnd, VirtualPortHandle, VirtualPorts } from "./virtual_port.ts";

/** What the options say to all lanes. */
export interface LaneOptions {
  /** Whether l2fwd rewrites MAC addresses. */
  readonly macUpdating: boolean;
  /** Length of the frames that txonly makes, in bytes. */
  readonly txBytes: number;
  /** Frames that are moved at a time. */
  readonly burst: number;
}

/** One way through the guest: where frames come from, and where they go. */
export class GuestLane {
  /** Where frames are received, and mbufs given back. */
  readonly from: RxEnd;
  /** Where frames are sent: the paired port; for modes that answer, the port that they came to. */
  readonly out: TxBuffer;
  /** See {@linkcode LaneOptions}. */
  readonly macUpdating: boolean;
  /** See {@linkcode LaneOptions}. */
  readonly txBytes: number;
  /**
   * What l2fwd writes, as `addressWords` makes it: destination 02:00:00:00:00:PORT, source the
   * address of the port that sends (DPDK l2fwd).
   */
  readonly addresses: Uint32Array;

  /** From one port to another, or the same. `mbufs` are the region's. */
  constructor(
    readonly mbufs: Mbufs,
    ports: VirtualPorts,
    from: VirtualPortHandle,
    to: VirtualPortHandle,
    { macUpdating, txBytes, burst }: LaneOptions,
  ) {
    this.from = ports.rx(from);
    this.out = new TxBuffer(ports.tx(to), this.from, burst);
    this.macUpdating = macUpdating;
    this.txBytes = txBytes;
    this.addresses = addressWords(Uint8Array.of(2, 0, 0, 0, 0, to.number), to.mac);
  }
}

/**
 * What a forwarding mode does with a burst: rewrite frames in place, reorder or drop descriptors.
 * Dropped frames are to be given to `lane.from.drop`.
 *
 * @param count Frames in `burst`; 0 only for a mode that originates frames.
 * @returns how many frames, from the start of `burst`, go out.
 */
export type ForwardingMode = (burst: Burst, count: number, lane: GuestLane) => number;
