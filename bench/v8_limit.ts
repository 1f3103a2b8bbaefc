import { AskedWorker } from "./asked_worker.ts";
import { type BenchOptions, median } from "./measurement.ts";
import type { RingMode } from "./ring_order.ts";
import type { V8Order } from "./v8_worker.ts";

const CORE = 0, TIMES = 5_000_000, RUNS = 5;

/** Words of a bulk that a loop around the ring touches at one end: it checks the first and last. */
const CHECKED_WORDS = 2;

/**
 * The least that V8 takes of a ring's time, from two costs that are measured just before: an FFI
 * call, of which each end needs one a bulk to publish its position, and a word of a typed array.
 * What the ring itself does, in C or for the other core, comes on top.
 */
export class V8Limit {
  private constructor(private readonly callNs: number, private readonly wordNs: number) {}

  /** Measure both costs, and report them as rows. */
  static async measure({ scale, measure }: BenchOptions): Promise<V8Limit> {
    using worker = new AskedWorker<V8Order, number>(new URL("./v8_worker.ts", import.meta.url));
    const times = Math.ceil(TIMES * scale);
    const cost = async (what: V8Order["what"]) =>
      await worker.ask({ core: CORE, what, times }) / times;
    const costs = [];
    for (const [what, name] of [["call", CALL], ["word", WORD]] as const) {
      const runs = [];
      for (let run = 0; run <= RUNS; run++) runs.push(await cost(what));
      costs.push(median(runs.slice(1)));
      const row = { name, unit: "ns", better: "less", peers: [] } as const;
      await measure({ ...row, ours: () => cost(what) });
    }
    return new V8Limit(costs[0], costs[1]);
  }

  /** Nanoseconds an element of a ring's run in bulks of `burst`. */
  of({ how, elementBytes }: RingMode, cores: 1 | 2, burst: number): number {
    const words = how === "bulk" ? CHECKED_WORDS : burst * elementBytes / 4;
    const ends = cores === 1 ? 2 : 1; // on two cores they work at the same time
    return ends * (this.callNs + words * this.wordNs) / burst;
  }
}

const CALL = "V8: an FFI call that does nothing";
const WORD = "V8: a word written to a typed array";
