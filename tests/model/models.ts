import type { Defines } from "./spin.ts";

/** A Promela model of a part of Culvert. */
export interface Model {
  /** Its file in this folder, without `.pml`. */
  readonly name: string;
  /** The source whose comments label ordering edges as the model does: a path from the project's root. */
  readonly labelledIn?: string;
  /** Sizes that are searched wholly. By the first one each ordering edge is shown to be needed. */
  readonly sizes: readonly Defines[];
  /** Sizes that take longer. */
  readonly long: readonly Defines[];
}

/** All but the litmus tests. */
export const MODELS: readonly Model[] = [
  {
    name: "spsc_ring",
    labelledIn: "app/ring/spsc_ring.ts",
    sizes: [{ SIZE: 2 }, { SIZE: 4 }],
    long: [],
  },
  {
    name: "mpmc_ring",
    labelledIn: "app/ring/multi_end.ts",
    sizes: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2 },
      { PRODUCERS: 2, CONSUMERS: 1, EACH: 3 },
      { PRODUCERS: 1, CONSUMERS: 2, EACH: 4 },
      { PRODUCERS: 1, CONSUMERS: 1, EACH: 6 },
      { PRODUCERS: 3, CONSUMERS: 1, EACH: 1 },
    ],
    long: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2, SIZE: 4 },
      { PRODUCERS: 1, CONSUMERS: 3, EACH: 3 },
    ],
  },
  {
    name: "hts_ring",
    labelledIn: "app/ring/hts_end.ts",
    sizes: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2 },
      { PRODUCERS: 2, CONSUMERS: 1, EACH: 3 },
      { PRODUCERS: 1, CONSUMERS: 2, EACH: 4 },
      { PRODUCERS: 3, CONSUMERS: 1, EACH: 1 },
    ],
    long: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2, SIZE: 4 },
      { PRODUCERS: 1, CONSUMERS: 3, EACH: 3 },
    ],
  },
  {
    name: "sleep_flag",
    sizes: [
      { PUBLISHERS: 1, EACH: 2, PORT_WAKES: 1 },
      { PUBLISHERS: 1, EACH: 3, PORT_WAKES: 0 },
      { PUBLISHERS: 2, EACH: 1, PORT_WAKES: 0 },
    ],
    long: [
      { PUBLISHERS: 1, EACH: 3, PORT_WAKES: 1 },
      { PUBLISHERS: 2, EACH: 1, PORT_WAKES: 1 },
    ],
  },
];

/** Sizes as they are written on a command line. */
export function textOf(defines: Defines): string {
  return Object.entries(defines).map(([name, value]) => `${name}=${value}`).join(" ");
}
