/**
 * A frame endpoint: the seam between loops and devices (ixy `device.h`). Loops take ports, so that ring and null ports
 * test them without root.
 *
 * Per frame there are only two calls, and neither throws: empty, full and down are numbers.
 */
export interface Port {
  /** Its name, for people. */
  readonly name: string;

  /**
   * Receive up to `max` frames as descriptors at the start of `burst`; the caller owns their mbufs.
   *
   * @returns how many.
   */
  rxBurst(burst: Uint32Array, max: number): number;

  /**
   * Send `count` frames from the start of `burst`. The port owns the mbufs of those it took, and
   * frees them when they are sent.
   *
   * @returns how many it took; the rest stay with the caller, who frees and counts them.
   */
  txBurst(burst: Uint32Array, count: number): number;
}

/** A port that the host owns: it takes part in the host's housekeeping too. */
export interface HostPort extends Port {
  /** Descriptors that become readable when frames wait; none for ports without a kernel side. */
  readonly pollable: number[];

  /** Whether it makes frames by itself, as soon as there are mbufs: nothing tells when. */
  readonly hasFrames?: boolean;

  /** False while its interface is down or gone. */
  readonly isUp: boolean;

  /** Throw away and count up to `max` waiting frames, as there are no mbufs for them. */
  discardBurst(max: number): void;

  /** Now and then: see whether an interface that was down is back, read the kernel's counters. */
  refresh(): void;

  /** Free all mbufs that it holds; frames in them are dropped and counted. It may go on after that. */
  letGo?(): void;

  /** Free all mbufs that it holds, and close. */
  close(): void;
}
