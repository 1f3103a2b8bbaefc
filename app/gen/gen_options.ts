/** Bytes of frames, without FCS: the frames have these sizes in turn. */
export type Sizes = readonly number[];

/**
 * The simple Internet mix: 64, 594 and 1518 bytes with FCS, 7:4:1, spread out
 * (https://en.wikipedia.org/wiki/Internet_Mix).
 */
export const IMIX: Sizes = [60, 590, 60, 590, 60, 1514, 60, 590, 60, 60, 590, 60];

/** Most sizes that take turns. */
export const SIZES_MAX = 256;

/** Shortest numbered frame: Ethernet, IPv4 and UDP headers, and 16 bytes in it. */
export const SIZE_MIN = 60;

/** What is sent in a trial. */
export interface TrialOptions {
  /** Tells the trial's frames from those of other trials: 32 bits. */
  readonly id: number;
  /** Frames a second; Infinity for as many as are taken. */
  readonly rate: number;
  /** For how long frames are sent. */
  readonly seconds: number;
  /** How long frames then have to come back; 2 s by default (RFC 2544, 23). */
  readonly settleSeconds?: number;
}

/** How long frames took, from just before they were sent until they were seen, in nanoseconds. */
export interface Latency {
  /** The shortest time. */
  readonly min: number;
  /** Half of all frames took no longer. */
  readonly p50: number;
  /** 99 of 100. */
  readonly p99: number;
  /** 999 of 1000. */
  readonly p999: number;
  /** The longest. */
  readonly max: number;
}

/** What became of a trial's frames. */
export interface TrialResult {
  /** Frames that were sent. */
  readonly sent: number;
  /** Their bytes, without FCS. */
  readonly bytes: number;
  /** For how long they were sent. */
  readonly seconds: number;
  /** How many of them came back, once or more. */
  readonly received: number;
  /** Frames that came after a frame that was sent later (RFC 4737). */
  readonly reordered: number;
  /** Frames that came again. */
  readonly duplicated: number;
  /** Received frames that are not of this trial. */
  readonly others: number;
  /** Frames among the sent ones that the kernel refused: they are lost. */
  readonly refused: number;
  /** How long the frames took, if that was asked for and any came back. */
  readonly latency?: Latency;
}
