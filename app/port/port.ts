import type { Burst } from "../ring/burst.ts";

/**
 * A frame endpoint: the seam between loops and devices (ixy `device.h`). Loops take ports, so that
 * ring and null ports test them without root.
 *
 * Per frame there are only two calls, and neither throws as long as the burst is long enough:
 * empty, full and down are numbers.
 */
export interface Port {
  /** Its name, for people. */
  readonly name: string;

  /**
   * Receive up to `max` frames as descriptors of `burst`, from number `at` on; the caller owns
   * their mbufs.
   *
   * @returns how many.
   */
  rxBurst(burst: Burst, max: number, at?: number): number;

  /**
   * Send `count` frames of `burst`, from number `at` on. The port owns the mbufs of those it took,
   * and frees them when they are sent.
   *
   * @returns how many it took; the rest stay with the caller, who frees and counts them.
   */
  txBurst(burst: Burst, count: number, at?: number): number;
}

/** A port that the host owns: it takes part in the host's housekeeping too. */
export interface HostPort extends Port {
  /** Descriptors that become readable when frames wait; none for ports without a kernel side. */
  readonly pollable: number[];

  /** Whether it makes frames by itself, as soon as there are mbufs: nothing tells when. */
  readonly hasFrames?: boolean;

  /**
   * Whether the receiver takes super-frames: super-frames that may pass are handed out whole, with
   * the flag SUPER in their descriptors. Left out by ports that have none.
   */
  passesWhole?: boolean;

  /** Whether its frames may wait until there is a guest, where others drop them. */
  readonly isPatient?: boolean;

  /** False while its interface is down or gone. */
  readonly isUp: boolean;

  /** Now and then: see whether an interface that was down is back, read the kernel's counters. */
  refresh(): void;

  /**
   * Free all mbufs that it holds; frames in them are dropped and counted. It may go on after that.
   */
  letGo?(): void;

  /** Free all mbufs that it holds, and close. */
  close(): void;
}
