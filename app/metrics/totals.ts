/** Regions that were not seen for so long, in milliseconds, are forgotten. */
const FORGET_MS = 3_600_000;

/** Counters of a region that were not in its last look: more are forgotten, as guests name some. */
const ABSENT_MAX = 1000;

/** What is known of one counter. */
interface Total {
  /** Which host, or guest, has counted it: another one begins at 0. */
  run: string;
  /** What that one said last. */
  last: number;
  /** What those before it have counted. */
  before: number;
}

/** What is known of a region. */
interface Known {
  /** By name of the counter: the one that was told last is the last one. */
  readonly totals: Map<string, Total>;
  readonly seenAt: number;
  /** How many were told since then. */
  told: number;
}

/**
 * Counters that go on when a host ends and another one begins at 0 again: each is the sum over all
 * hosts that this process has seen.
 */
export class Totals {
  readonly #regions = new Map<string, Known>();

  /**
   * A region has been seen again.
   *
   * @param now A clock in milliseconds.
   */
  see(region: string, now: number): void {
    const { totals, told } = this.#regions.get(region) ?? { totals: new Map(), told: 0 };
    this.#regions.set(region, { totals, seenAt: now, told: 0 });
    let excess = totals.size - told - ABSENT_MAX;
    for (const counter of totals.keys()) {
      if (excess-- <= 0) break;
      totals.delete(counter);
    }
    for (const [name, { seenAt }] of this.#regions) {
      if (now - seenAt > FORGET_MS) this.#regions.delete(name);
    }
  }

  /**
   * The sum over all hosts of a counter in a region that was seen.
   *
   * @param run Which host has counted `value`.
   */
  of(region: string, counter: string, run: string, value: number): number {
    const known = this.#regions.get(region)!;
    const { totals } = known;
    const total = totals.get(counter) ?? { run, last: 0, before: 0 };
    totals.delete(counter);
    totals.set(counter, total);
    known.told++;
    if (total.run !== run || value < total.last) total.before += total.last;
    total.run = run;
    total.last = value;
    return total.before + value;
  }
}
