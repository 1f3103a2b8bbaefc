import type { TrialResult } from "./gen_options.ts";

/** A trial of a search. */
export interface SearchStep {
  /** Frames a second that were asked for; Infinity: as many as can be. */
  readonly rate: number;
  /** What became of them. */
  readonly result: TrialResult;
  /** Whether no more frames were lost than may be lost. */
  readonly isPassed: boolean;
}

/** Frames a second that were really sent. */
export function offeredRate({ sent, seconds }: TrialResult): number {
  return seconds > 0 ? sent / seconds : 0;
}

/** The part of the frames that was lost, of 1. */
export function lossOf({ sent, received }: TrialResult): number {
  return sent > 0 ? (sent - received) / sent : 1;
}

/** The search ends once the highest rate is known to so much of itself. */
const RESOLUTION = 0.01;

/**
 * Search for the highest rate at which no frame is lost (RFC 2544, 26.1), by halving what is left
 * between a rate that passed and one that did not.
 *
 * @param highest Where to begin: frames a second.
 * @param mayLose The part of the frames that may be lost, of 1.
 * @param trial Sends frames at a rate.
 * @param tell Told of each trial.
 * @returns the fastest trial that passed; undefined if none did.
 */
export async function searchThroughput(
  highest: number,
  mayLose: number,
  trial: (rate: number) => Promise<TrialResult | undefined>,
  tell: (step: SearchStep) => void,
): Promise<TrialResult | undefined> {
  let best: TrialResult | undefined;
  let [low, high] = [0, highest];
  for (let rate = highest;;) {
    const result = await trial(rate);
    if (result === undefined) return best;
    const isPassed = result.sent > 0 && lossOf(result) <= mayLose;
    tell({ rate, result, isPassed });
    const offered = offeredRate(result);
    if (isPassed) {
      if (best === undefined || offered > offeredRate(best)) best = result;
      if (rate === highest || offered < rate * (1 - RESOLUTION)) return best; // no more can be sent
      low = rate;
    } else high = Math.min(rate, offered);
    if (high - low <= Math.max(1, high * RESOLUTION)) return best;
    rate = (low + high) / 2;
  }
}
