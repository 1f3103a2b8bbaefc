/** What the ledger counts of an lcore's dealings with one guest. */
export interface TakenBack {
  /** Frames that the guest had been lent. */
  frames: number;
  /** Frames that the guest made in mbufs lent empty. */
  originated: number;
  /** Mbufs that came back with an offset or length that no frame has; freed, not sent. */
  malformed: number;
  /** How many of {@linkcode malformed} had been lent with a frame. */
  malformedFrames: number;
  /** Handles that were not the guest's to give: made up, another's, or given twice. */
  foreign: number;
  /** How many of {@linkcode foreign} name no mbuf. */
  beyond: number;
  /** How many of {@linkcode foreign} are of mbufs that another guest holds. */
  anothers: number;
  /** How many of {@linkcode malformed} reach out of their mbuf. */
  outside: number;
  /** How many of {@linkcode malformed} are too short, those of no bytes among them. */
  short: number;
  /** How many of {@linkcode malformed} are longer than the frame limit. */
  long: number;
}

/** Nothing taken back yet. */
export function nothingTaken(): TakenBack {
  return {
    frames: 0,
    originated: 0,
    malformed: 0,
    malformedFrames: 0,
    foreign: 0,
    beyond: 0,
    anothers: 0,
    outside: 0,
    short: 0,
    long: 0,
  };
}
