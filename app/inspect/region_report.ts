/**
 * What `culvert inspect` says of a region, in the form that `--json` prints: no key is ever left
 * out, and a value that cannot be told is null.
 *
 * @module
 */

/** A region, as it was found in one look. */
export interface RegionReport {
  /** Bytes of the memory that was looked at. */
  readonly bytes: number;
  /** Whether it begins with Culvert's magic. */
  readonly isRegion: boolean;
  /** The layout's version: 0 while the region is half-built; null if this is no region. */
  readonly version: number | null;
  /** The layout's hash in hexadecimal; null if this is no region. */
  readonly layoutHash: string | null;
  /** Whether this build knows the layout. If not, nothing below is decoded. */
  readonly isOurLayout: boolean;
  /** What is wrong with the region as a whole, in words. */
  readonly problems: readonly string[];
  /** What the host says of itself in the header; null if the layout is not ours. */
  readonly host: HostReport | null;
  /** The directory, in its own order. */
  readonly zones: readonly ZoneReport[];
  /** Control memzones. */
  readonly guests: readonly GuestReport[];
  /** Channels; their rings are among {@linkcode rings}, named with the channel's name in front. */
  readonly channels: readonly ChannelReport[];
  /** All rings, those of channels included. */
  readonly rings: readonly RingReport[];
  /** The host's mbufs. */
  readonly mbufs: readonly MbufsReport[];
  /** Mempools that are shared with trusted guests. */
  readonly mempools: readonly MempoolReport[];
}

/** The header, written by the host. */
export interface HostReport {
  /** A key of `REGION_STATE`, or the number if it is none. */
  readonly state: string;
  /** Counts the hosts that began or ended. */
  readonly epoch: number;
  /** Counts while the host lives. */
  readonly heartbeat: number;
  /** Whether the heartbeat moved between two looks; null after one look. */
  readonly isAlive: boolean | null;
  /** The host's peer id. */
  readonly peer: number | null;
  /** Bytes of the region, as the host says. */
  readonly bytes: number;
  /** Mbufs in the host's private mempool. */
  readonly mbufsFree: number;
}

/** A memzone of the directory. */
export interface ZoneReport {
  /** Up to 31 bytes. */
  readonly name: string;
  /** A key of `ZONE_KIND`, or the number if it is none. */
  readonly kind: string;
  /** Bytes from the region's start. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Depends on the kind; see `ZONE_KIND`. */
  readonly parameter: number;
  /** Why it cannot be used; null if it can. */
  readonly problem: string | null;
}

/** A guest's control memzone. */
export interface GuestReport {
  /** Name of the memzone: `g0`. */
  readonly name: string;
  /** A key of `GUEST_STATE`, or the number if it is none. */
  readonly state: string;
  /** Counts while the guest lives. */
  readonly heartbeat: number;
  /** Whether the heartbeat moved between two looks; null after one look. */
  readonly isAlive: boolean | null;
  /** The guest's process id, as it sees it itself. */
  readonly pid: number;
  /** The guest's peer id. */
  readonly peer: number | null;
  /** Counts the guests that this place has had. */
  readonly incarnation: number;
  /** Whether it asks for empty mbufs. */
  readonly wantsMbufs: boolean;
  /** Mbufs that the host has lent it, as the host says. */
  readonly outstanding: number;
  /** Whether it is asked to detach. */
  readonly isAskedToLeave: boolean;
  /** Shares of the last second in which its lcores had work, 0 to 1, as it says. */
  readonly busy: readonly number[];
  /** How many channels it has. */
  readonly channels: number;
  /** What its functions count, by name, all lcores together; as the guest says. */
  readonly counted: Readonly<Record<string, number>>;
}

/** One side's sleeping flag on a channel. */
export interface SleepReport {
  /**
   * Whether the lcore came round its loop between two looks; null after one look, or if the lcore
   * does not tell.
   */
  readonly isTurning: boolean | null;
  /**
   * Goes up several times a second while the lcore comes round its loop, modulo 2^32; 0 if the
   * lcore does not tell.
   */
  readonly rounds: number;
  /** Whether the lcore sleeps. */
  readonly isAsleep: boolean;
  /** How often it went to sleep. */
  readonly sleeps: number;
  /** The interrupt that wakes it. */
  readonly vector: number | null;
}

/** A channel: one port of the host, as one guest sees it. */
export interface ChannelReport {
  /** Name of the memzone: `g0.p1`. */
  readonly name: string;
  /** The host's port. */
  readonly portName: string;
  /** The MAC address, as `52:54:00:12:34:56`. */
  readonly mac: string;
  /** Longest frame in bytes, FCS not included. */
  readonly frameMax: number;
  /** Bytes in front of a frame. */
  readonly headroom: number;
  /** The host's lcore. */
  readonly hostSleep: SleepReport;
  /** The guest's lcore. */
  readonly guestSleep: SleepReport;
  /**
   * The host's counters of the port, by the names of `COUNTER`, as the host last published them.
   */
  readonly counters: Readonly<Record<string, number | null>>;
}

/** A ring's positions. */
export interface RingReport {
  /** Name of the memzone: `g0.p1.rx`. */
  readonly name: string;
  /** One producer and one consumer, or several. */
  readonly kind: "spsc" | "mpmc";
  /** Slots of the ring. */
  readonly slots: number;
  /** Elements ever enqueued, modulo 2^32. */
  readonly producer: number;
  /** Elements ever dequeued, modulo 2^32. */
  readonly consumer: number;
  /** Slots in use. */
  readonly used: number;
  /** Why these positions are impossible; null if they are possible. */
  readonly problem: string | null;
}

/** A memzone of mbufs. */
export interface MbufsReport {
  /** Name of the memzone. */
  readonly name: string;
  /** How many mbufs fit, long ones not counted. */
  readonly count: number;
  /** Long mbufs, for super-frames. */
  readonly long: number;
  /** Bytes from one mbuf to the next. */
  readonly stride: number;
}

/** A mempool in the region. */
export interface MempoolReport {
  /** Name of the memzone. */
  readonly name: string;
  /** Mbufs in all. */
  readonly count: number;
  /** Bytes from one mbuf to the next. */
  readonly stride: number;
  /** Mbufs in the free ring. Mbufs in the caches of lcores are not among them. */
  readonly free: number;
  /** Why the free ring's positions are impossible; null if they are possible. */
  readonly problem: string | null;
}
