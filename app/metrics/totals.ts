/** Regions that were not seen for so long, in milliseconds, are forgotten. */
const FORGET_MS = 3_600_000;

/** What is known of one counter. */
interface Total {
  /** Which host, or guest, has counted it: another one begins at 0. */
  run: string;
  /** What that one said last. */
  last: number;
  /** What those before it have counted. */
  before: number;
}

/**
 * Counters that go on when a host ends and another one begins at 0 again: each is the sum over all
 * hosts that this process has seen.
 */
export class Totals {
  readonly #regions = new Map<string, { totals: Map<string, Total>; seenAt: number }>();

  /**
   * A region has been seen again.
   *
   * @param now A clock in milliseconds.
   */
  see(region: string, now: number): void {
    const known = this.#regions.get(region);
    this.#regions.set(region, { totals: known?.totals ?? new Map(), seenAt: now });
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
    const { totals } = this.#regions.get(region)!;
    const total = totals.get(counter) ?? { run, last: 0, before: 0 };
    totals.set(counter, total);
    if (total.run !== run || value < total.last) total.before += total.last;
    total.run = run;
    total.last = value;
    return total.before + value;
  }
}
