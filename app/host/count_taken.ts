import type { TakenBack } from "../channel/taken_back.ts";
import { COUNTER, type Counters } from "../port/counters.ts";

/** Count the malformed frames that were taken back, by kind; `taken` has none then. */
export function countMalformed(taken: TakenBack, counters: Counters): void {
  counters[COUNTER.MALFORMED] += taken.malformed;
  counters[COUNTER.ORIGINATED] += taken.malformed - taken.malformedFrames;
  counters[COUNTER.OUTSIDE] += taken.outside;
  counters[COUNTER.SHORT] += taken.short;
  counters[COUNTER.LONG] += taken.long;
  taken.malformed = taken.malformedFrames = 0;
  taken.outside = taken.short = taken.long = 0;
}

/** Count the others that were taken back, and handles that were not the guest's to give. */
export function countTaken(taken: TakenBack, counters: Counters): void {
  counters[COUNTER.ORIGINATED] += taken.originated;
  if (taken.foreign > 0) countForeign(taken, counters);
  taken.frames = taken.originated = 0;
}

function countForeign(taken: TakenBack, counters: Counters): void {
  counters[COUNTER.FOREIGN] += taken.foreign;
  counters[COUNTER.BEYOND] += taken.beyond;
  counters[COUNTER.ANOTHERS] += taken.anothers;
  taken.foreign = taken.beyond = taken.anothers = 0;
}
