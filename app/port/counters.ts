import type { Burst } from "../ring/burst.ts";

/**
 * What is counted of a port, as indexes into its counters. Received and originated frames are each
 * forwarded or dropped for one reason: RX + ORIGINATED = TX + the sum of DROPS, once all is quiet.
 */
export const COUNTER = {
  /** Frames taken from the port (a super-frame counts as its segments). */
  RX: 0,
  RX_BYTES: 1,
  /** Frames that guests made in mbufs lent empty, to be sent by this port. */
  ORIGINATED: 2,
  /** Frames sent by the port. */
  TX: 3,
  TX_BYTES: 4,
  /** Frames that the kernel dropped before we could take them; not part of RX. */
  MISSED: 5,
  /** 1 while the port is down. */
  DOWN: 6,
  /** Handles that a guest gave back and never held; no frame of ours. */
  FOREIGN: 7,
  /** Impossible ring positions that a guest published. */
  POSITION: 8,
  /** Doorbells rung, to wake a guest's lcore that slept. */
  NOTIFIED: 9,
  /** Of FOREIGN: handles that name no mbuf. */
  BEYOND: 10,
  /**
   * Of FOREIGN: handles of mbufs that another guest held. The rest were made up, or given twice.
   */
  ANOTHERS: 11,
  /** Of MALFORMED: frames that reach out of their mbuf. */
  OUTSIDE: 12,
  /** Of MALFORMED: frames shorter than 14 bytes, those of no bytes among them. */
  SHORT: 13,
  /** Of MALFORMED: frames longer than the frame limit. */
  LONG: 14,
  /** Doorbells by which the lcore was woken, and found nothing. */
  FALSE_ALARM: 15,
  /** Drops from here on. */
  RUNT: 16,
  OVERSIZE: 17,
  OFFLOAD: 18,
  NO_MBUF: 19,
  NO_GUEST: 20,
  RING_FULL: 21,
  GUEST: 22,
  GUEST_LOST: 23,
  MALFORMED: 24,
  TX_FULL: 25,
  TX_REFUSED: 26,
  PORT_DOWN: 27,
  STOPPED: 28,
  HOLD_MAX: 29,
  TUNNEL: 30,
  TX_TOO_LONG: 31,
  NO_CARRIER: 32,
  /**
   * No drops from here on. Bursts in which frames were received, and sent; empty ones are not
   * counted.
   */
  RX_BURSTS: 33,
  TX_BURSTS: 34,
  /** Frames that a burst may have. */
  BURST: 35,
  /** The core of the port's lcore, plus 1. */
  CORE: 36,
  /** For how long that lcore has run, and for how long of that it had nothing to do; ns. */
  LCORE_NS: 37,
  IDLE_NS: 38,
  /** When the main thread wrote all this into the region, by that thread's clock in ms. */
  SHOWN_MS: 39,
  /** Copies that a mirror of the port took, and those that it had no room for. */
  MIRRORED: 40,
  MIRROR_LOST: 41,
  /**
   * Of a link's RX: segments of super-frames that were cut there, less those super-frames. The
   * other end has sent so many frames fewer.
   */
  LINK_CUT: 42,
  /**
   * A number that was drawn when the port's counters began at 0. It stays while they go on, over
   * all changes of a host; 0 if a host does not tell.
   */
  RUN: 43,
  /** Goes up several times a second while the port's lcore comes round its loop. */
  ROUNDS: 47,
  COUNT: 48,
} as const;

/** The reasons for which frames are dropped, in words. */
export const DROPS: readonly { counter: number; reason: string }[] = [
  { counter: COUNTER.RUNT, reason: "shorter than 14 bytes" },
  { counter: COUNTER.OVERSIZE, reason: "longer than the frame limit (--mtu)" },
  { counter: COUNTER.OFFLOAD, reason: "super-frame that cannot be split" },
  {
    counter: COUNTER.TUNNEL,
    reason: "super-frame in a tunnel that cannot be split; where it is made: " +
      "ethtool -K IFACE tx-udp_tnl-segmentation off tx-gre-segmentation off",
  },
  { counter: COUNTER.NO_MBUF, reason: "no mbuf free (--mbufs)" },
  { counter: COUNTER.NO_GUEST, reason: "no guest attached" },
  { counter: COUNTER.RING_FULL, reason: "guest too slow, its rx ring full" },
  { counter: COUNTER.GUEST, reason: "dropped by the guest" },
  { counter: COUNTER.GUEST_LOST, reason: "held by the guest when it went" },
  { counter: COUNTER.MALFORMED, reason: "malformed by the guest" },
  { counter: COUNTER.TX_FULL, reason: "port's transmit queue full" },
  { counter: COUNTER.TX_REFUSED, reason: "refused by the port's kernel side" },
  {
    counter: COUNTER.TX_TOO_LONG,
    reason: "longer than the sending interface's MTU (ip link set IFACE mtu; 4 more for a tag)",
  },
  { counter: COUNTER.NO_CARRIER, reason: "sending interface without carrier" },
  { counter: COUNTER.PORT_DOWN, reason: "port down" },
  { counter: COUNTER.STOPPED, reason: "received, but not forwarded when the host stopped" },
  { counter: COUNTER.HOLD_MAX, reason: "guest holds all the mbufs that it may (--hold-max)" },
];

/** Names of the reasons in metrics, by their counters: `ring_full`. */
export const DROP_LABELS: ReadonlyMap<number, string> = new Map(
  Object.entries(COUNTER).filter(([, at]) => DROPS.some(({ counter }) => counter === at))
    .map(([name, at]) => [at, name.toLowerCase()]),
);

/** The counters of one port: written by one lcore, read by anybody. */
export type Counters = Float64Array<SharedArrayBuffer>;

/** Counters for `ports` ports, all 0, shareable with Workers. */
export function newCounters(ports: number): Counters[] {
  const bytes = COUNTER.COUNT * 8;
  const buffer = new SharedArrayBuffer(bytes * ports);
  return Array.from(
    { length: ports },
    (_, port) => new Float64Array(buffer, port * bytes, COUNTER.COUNT),
  );
}

/** Counters that are states: a port with several queues has the highest value of any queue. */
const STATES: readonly number[] = [
  COUNTER.DOWN,
  COUNTER.BURST,
  COUNTER.CORE,
  COUNTER.SHOWN_MS,
  COUNTER.RUN,
];

/** The counters of a port whose queues have these. */
export function sumOf(queues: readonly Float64Array[]): Float64Array<ArrayBuffer> {
  return new Float64Array(COUNTER.COUNT).map((_, at) => {
    const values = queues.map((counters) => counters[at]);
    return STATES.includes(at) ? Math.max(...values) : values.reduce((sum, n) => sum + n, 0);
  });
}

/** All drops of a port. */
export function droppedBy(counters: Float64Array): number {
  return DROPS.reduce((sum, { counter }) => sum + counters[counter], 0);
}

/**
 * Count `n` frames of `burst`, from number `at` on, as received or sent.
 *
 * @param counter RX or TX; RX_BYTES follows the one, TX_BYTES the other.
 */
export function countFrames(
  counters: Counters,
  counter: number,
  { words }: Burst,
  n: number,
  at: number,
): void {
  let bytes = 0;
  for (let i = (at << 1) + 1, end = (at + n) << 1; i < end; i += 2) bytes += words[i] >>> 16;
  counters[counter] += n;
  counters[counter + 1] += bytes;
}
