/** Milliseconds after which a region that was not seen again is forgotten. */
const FORGET_MS = 3_600_000;

/** Most counters that are kept of a region without being in its last look: guests can name any. */
const ABSENT_MAX = 1000;

/** What is known of one counter. */
interface Total {
  /** The run in which it was counted: in another run counters begin at 0. */
  run: string;
  /** Its value at the last look. */
  last: number;
  /** The sum over the runs before. */
  before: number;
}

/** What is known of a region. */
interface Known {
  /** By the name of the counter, in the order in which they were told last. */
  readonly totals: Map<string, Total>;
  readonly seenAt: number;
  /** How many counters were told since then. */
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
   * @param run Names the counting that has come to `value`: another one has begun at 0.
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
