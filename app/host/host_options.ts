import type { IdleMode } from "../lcore/idle.ts";
import type { Account } from "../linux/owner.ts";
import type { PortSpec } from "../port/port_spec.ts";

/** What a host is asked to do; see `culvert host --help`. */
export interface HostOptions {
  /** One or more. */
  readonly regions: readonly RegionOptions[];
  /** MTU of new TAPs, and limit of frames: one for all regions, as links join them. */
  readonly mtu: number;
  /**
   * Cores to pin lcores to, one each. Ports are dealt to them in turn; cores that get none stay
   * free.
   */
  readonly cores: readonly number[];
  /** What an lcore does in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
  /** Seconds between two tables; 0 for none. */
  readonly statsPeriod: number;
  /** Violations after which a guest is put in quarantine, 0 for never; 1000 if left out. */
  readonly quarantineAfter?: number;
  /** Mbufs that one guest may hold; if left out, an equal share of its region's. */
  readonly holdMax?: number;
  /** Whether to wipe a region's mbufs when its guest has gone; every region has one place then. */
  readonly wipe?: boolean;
  /** Whether to check each mbuf that is allocated or freed, and log faults. It costs speed. */
  readonly debugPool?: boolean;
  /** Ports whose frames are copied to TAPs. */
  readonly mirrors?: readonly MirrorOptions[];
  /** The user and group of new servers and region files, and of the host itself; left out, ours. */
  readonly account?: Account;
}

/** Largest MTU of a host, in bytes: an mbuf holds the frame, and many NICs do no more. */
export const MTU_MAX = 9216;

/** A port whose frames are copied. */
export interface MirrorOptions {
  /** The port, as it stands among its guest's. */
  readonly port: PortSpec;
  /** The TAP that gets the copies. */
  readonly to: PortSpec;
}

/** Mbufs of a region, unless the options say how many. */
export const MBUFS_DEFAULT = 8192;

/** A region that a host is to make. */
export interface RegionOptions {
  /** A name or a path. */
  readonly name: string;
  /** Size in bytes; if left out, the size that it has, or what its mbufs need, 64 MiB at least. */
  readonly size?: number;
  /** Mbufs for all its ports together; if left out {@linkcode MBUFS_DEFAULT}, or as many as fit. */
  readonly mbufs?: number;
  /** Slots of each ring, a power of two. */
  readonly ringSize: number;
  /** The NUMA node of its memory; if left out, the kernel chooses. */
  readonly numaNode?: number;
  /** Places for guests, one or more, each with a number of its own. */
  readonly guests: readonly GuestPlaceOptions[];
}

/** A place for a guest in a region. */
export interface GuestPlaceOptions {
  /** Its number, from 0. */
  readonly number: number;
  /** Its ports, one or more: the guest's virtual ports 0, 1 and so on. */
  readonly ports: readonly PortSpec[];
}
