import type { CapturePoint } from "../capture/capture_point.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { MbufSource } from "../mempool/mbuf_source.ts";
import type { Counters } from "./counters.ts";
import type { Umem } from "./xdp_umem.ts";

/** What a port of the host works with. */
export interface PortResources {
  /** The region's mbufs, where frames are received and sent from. */
  readonly mbufs: Mbufs;
  /** The lcore's own end: gives empty mbufs, takes back those whose frames are sent. */
  readonly mempool: MbufSource;
  /** The port's counters, by {@linkcode COUNTER}. */
  readonly counters: Counters;
  /** Longest frame in bytes. */
  readonly frameMax: number;
  /** The mbufs as AF_XDP's memory, if a port of the region needs that. */
  readonly umem?: Umem;
  /** Where its frames are captured: the caller of the port adds the frames that it moves. */
  readonly capture?: CapturePoint;
}
