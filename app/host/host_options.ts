import type { IdleMode } from "../lcore/idle.ts";
import type { Account } from "../linux/owner.ts";
import type { PortSpec } from "../port/port_spec.ts";

/** What a host is asked to do; see `culvert host --help`. */
export interface HostOptions {
  /** One or more. */
  readonly regions: readonly RegionOptions[];
  /** MTU of TAPs that are made, and limit of frames. One for all regions, as links join them. */
  readonly mtu: number;
  /** Cores to pin lcores to, one each. Ports are dealt to them in turn; the rest stay free. */
  readonly cores: readonly number[];
  /** What an lcore does in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
  /** Seconds between two tables; 0 for none. */
  readonly statsPeriod: number;
  /** Violations after which a guest is put in quarantine, 0 for never; 1000 if left out. */
  readonly quarantineAfter?: number;
  /** Mbufs that one guest may hold; if left out its share of its region's. */
  readonly holdMax?: number;
  /** Whether to wipe a region's mbufs when its guest has gone; every region has one place then. */
  readonly wipe?: boolean;
  /** Whether to check each mbuf that is allocated or freed, and log faults. It costs speed. */
  readonly debugPool?: boolean;
  /** Ports whose frames are copied to TAPs. */
  readonly mirrors?: readonly MirrorOptions[];
  /** Whose servers and region files are made, and who the host becomes; left out, ours. */
  readonly account?: Account;
}

/** Largest MTU of a host, in bytes: an mbuf holds the frame, and many NICs do no more. */
export const MTU_MAX = 9216;

/** A port whose frames are copied. */
export interface MirrorOptions {
  /** It, as its guest has it. */
  readonly port: PortSpec;
  /** The TAP. */
  readonly to: PortSpec;
}

/** Mbufs of a region where nobody has told how many. */
export const MBUFS_DEFAULT = 8192;

/** A region that a host is to make. */
export interface RegionOptions {
  /** A name or a path. */
  readonly name: string;
  /** Bytes; if left out, what is there, or as many as its mbufs need, 64 MiB at least. */
  readonly size?: number;
  /** Mbufs for all its ports together; if left out {@linkcode MBUFS_DEFAULT}, or as many as fit. */
  readonly mbufs?: number;
  /** Slots of each ring, a power of two. */
  readonly ringSize: number;
  /** The NUMA node that its memory is kept on; wherever the kernel puts it if there is none. */
  readonly numaNode?: number;
  /** Places for guests, one or more, each with a number of its own. */
  readonly guests: readonly GuestPlaceOptions[];
}

/** A place for a guest in a region. */
export interface GuestPlaceOptions {
  /** From 0. */
  readonly number: number;
  /** One or more; the guest's virtual ports 0, 1 and so on. */
  readonly ports: readonly PortSpec[];
}
