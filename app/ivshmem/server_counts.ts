/** What a server has seen. */
export interface ServerCounts {
  /** Members that came. */
  joined: number;
  /** Members that went, cut off or not. */
  left: number;
  /** Connections closed at once, for want of ids or descriptors. */
  refused: number;
  /** Members cut off because they took too little, too late. */
  stalled: number;
  /** Members cut off because they said something. */
  talked: number;
  /** Bytes that they said. */
  bytes: number;
  /** Messages of theirs that had descriptors with them, which are closed. */
  descriptors: number;
  /** Messages that were sent, or that a socket did not take. */
  sends: number;
}

/** Nothing seen yet. */
export function noCounts(): ServerCounts {
  return {
    joined: 0,
    left: 0,
    refused: 0,
    stalled: 0,
    talked: 0,
    bytes: 0,
    descriptors: 0,
    sends: 0,
  };
}
