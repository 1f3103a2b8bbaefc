import type { Defines } from "./spin.ts";

/** A Promela model of a part of Culvert. */
export interface Model {
  /** Its file in this folder, without `.pml`. */
  readonly name: string;
  /** The source whose comments label the edges. */
  readonly labelledIn?: string;
  /** Sizes of which all states are searched. */
  readonly sizes: readonly Defines[];
  /**
   * Which of {@linkcode sizes} shows that an edge is needed: for labels that end in 1 (producers),
   * and in 2 (consumers). The first size unless told.
   */
  readonly needed?: readonly [producers: number, consumers: number];
  /** Edges that only another size shows to be needed. */
  readonly neededBy?: Readonly<Record<string, Defines>>;
  /**
   * What must be possible, by its name for `SEEK`. It shows that the model moves, which unreached
   * statements cannot show in a model where some belong to other sizes.
   */
  readonly seeks?: readonly string[];
  /** Whether the model is told which edge to leave out when it runs, not when it is compiled. */
  readonly isChosenWhenRun?: boolean;
  /** Sizes that take longer. */
  readonly long: readonly Defines[];
}

/** The sizes of guest_life.pml: two processes that want one place, two hosts in turn, and so on. */
const LIVES = {
  two: { GUESTS: 2, CRASHES: 0, MBUFS: 1, FRAMES: 1 },
  nextHost: { GUESTS: 1, LIVES: 2, HOSTS: 2, CRASHES: 0, MBUFS: 1, FRAMES: 1 },
  lcores: { GUESTS: 1, LCORES: 2, CRASHES: 1, MBUFS: 2, FRAMES: 1 },
  hostile: { GUESTS: 1, LIVES: 2, SCRIBBLES: 1, CRASHES: 0, MBUFS: 1, FRAMES: 1 },
  shortage: { GUESTS: 2, CRASHES: 0, MBUFS: 1, FRAMES: 1, SHORTAGES: 1 },
  untold: { GUESTS: 1, STOPS: false, CRASHES: 0, MBUFS: 1, FRAMES: 1 },
  twoAndTwo: {
    ...{ GUESTS: 2, HOSTS: 2, STOPS: false, EMPTY_TURNS: 0 },
    ...{ CRASHES: 0, MBUFS: 1, FRAMES: 1 },
  },
} as const;

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
      { PRODUCERS: 1, CONSUMERS: 2, EACH: 5 },
      { PRODUCERS: 1, CONSUMERS: 1, EACH: 6 },
      { PRODUCERS: 3, CONSUMERS: 1, EACH: 1 },
    ],
    needed: [1, 2],
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
      { PRODUCERS: 1, CONSUMERS: 2, EACH: 5 },
      { PRODUCERS: 3, CONSUMERS: 1, EACH: 1 },
    ],
    needed: [1, 2],
    long: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2, SIZE: 4 },
      { PRODUCERS: 1, CONSUMERS: 3, EACH: 3 },
    ],
  },
  {
    name: "rts_ring",
    labelledIn: "app/ring/rts_end.ts",
    sizes: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2 },
      { PRODUCERS: 2, CONSUMERS: 1, EACH: 2, FAR: 1 },
      { PRODUCERS: 1, CONSUMERS: 2, EACH: 4 },
      { PRODUCERS: 3, CONSUMERS: 1, EACH: 1 },
    ],
    long: [
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2, SIZE: 4 },
      { PRODUCERS: 2, CONSUMERS: 2, EACH: 2, FAR: 1 },
      { PRODUCERS: 1, CONSUMERS: 3, EACH: 4 },
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
  {
    name: "guest_life",
    sizes: [LIVES.two, LIVES.nextHost, LIVES.lcores, LIVES.hostile],
    neededBy: {
      A1: LIVES.nextHost,
      A2: LIVES.shortage,
      E1: { ...LIVES.twoAndTwo, FRAMES: 0 },
      I1: LIVES.shortage,
      I2: LIVES.untold,
      L1: LIVES.hostile,
      N1: LIVES.shortage,
      N5: LIVES.nextHost,
      Q1: LIVES.hostile,
    },
    isChosenWhenRun: true,
    seeks: [
      "FORWARDED_AT_LAST",
      "WOKEN",
      "DEAD_IN_QUIESCENCE",
      "ACCUSED",
      "GAVE_UP",
      "SUCCEEDED",
    ],
    long: [
      LIVES.shortage,
      LIVES.untold,
      LIVES.twoAndTwo,
      { GUESTS: 2, CRASHES: 1, MBUFS: 1, FRAMES: 1 },
      { GUESTS: 2, CRASHES: 0, MBUFS: 2, FRAMES: 2 },
      { ...LIVES.hostile, SCRIBBLES: 2 },
      { ...LIVES.nextHost, LCORES: 2, MBUFS: 2 },
    ],
  },
];

/** The size by which it is shown that `edge` is needed. */
export function sizeFor({ sizes, needed = [0, 0], neededBy }: Model, edge: string): Defines {
  return neededBy?.[edge] ?? sizes[needed[edge.endsWith("2") ? 1 : 0]];
}

/** Sizes as they are written on a command line. */
export function textOf(defines: Defines): string {
  return Object.entries(defines).map(([name, value]) => `${name}=${value}`).join(" ");
}
