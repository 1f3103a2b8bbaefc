import type { Mode } from "./modes.ts";
import type { Team } from "./shared_rings.ts";

/** Two cores have to do for all of them: some teams are larger than that on purpose. */
const SINGLE: readonly Team[] = [
  { agents: [1, 1], processes: 0 },
  { agents: [1, 1], processes: 1 },
];

const MULTI: readonly Team[] = [
  { agents: [2, 2], processes: 0 },
  { agents: [1, 2], processes: 0 },
  { agents: [1, 1], processes: 0 },
  { agents: [2, 2], processes: 2 },
  { agents: [4, 4], processes: 1 },
  { agents: [4, 0], processes: 0 },
];

/** A mempool has one ring. */
const POOL: readonly Team[] = [
  { agents: [2, 0], processes: 0 },
  { agents: [4, 0], processes: 1 },
];

/** Who puts a mode under stress, one team after the other. */
export function teamsFor({ isMulti, isFifo }: Mode): readonly Team[] {
  return !isMulti ? SINGLE : isFifo ? MULTI : POOL;
}

/** Slots of a ring and most elements of a burst, from mostly full to seldom so. */
export const SIZES: readonly (readonly [size: number, burstMax: number])[] = [
  [64, 48],
  [2, 2],
  [1024, 256],
];
