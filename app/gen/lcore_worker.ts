/**
 * The Worker of a generator.
 *
 * @module
 */
import { serveLcore } from "../lcore/lcore.ts";
import type { TrialOptions, TrialResult } from "./gen_options.ts";
import { Generator, type GeneratorSetup, type Histogram } from "./generator.ts";

/** What the Worker is to do: one trial; or, without, to close the ports. */
export interface GeneratorOrder {
  /** What the generator is made of, the first time. */
  readonly setup: GeneratorSetup;
  /** The trial. */
  readonly trial?: TrialOptions;
}

/** The library of histograms, loaded when latencies are asked for. */
type Histograms = typeof import("hdr-histogram-js");

/** Not a literal, so that it is loaded only where it is asked for. */
const HISTOGRAMS = "hdr-histogram-js";

/** Times from 1 ns to 10 s, to three digits. */
const RANGE = {
  bitBucketSize: 32,
  lowestDiscernibleValue: 1,
  highestTrackableValue: 10e9,
  numberOfSignificantValueDigits: 3,
} as const;

interface Prepared {
  readonly newHistogram?: () => Histogram;
  generator?: Generator;
}

serveLcore<GeneratorOrder, TrialResult | undefined, { latency: boolean }, Prepared>(
  ({ setup, trial }, command, _log, prepared) => {
    const generator = prepared.generator ??= new Generator(setup);
    if (trial) return generator.trial(trial, command, prepared.newHistogram?.());
    generator.close();
  },
  async ({ latency }) => {
    if (!latency) return { prepared: {} };
    const { build }: Histograms = await import(HISTOGRAMS);
    return { prepared: { newHistogram: () => build(RANGE) } };
  },
);
