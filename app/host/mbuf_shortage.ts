import type { Log } from "../linux/log.ts";
import { COUNTER, type Counters } from "../port/counters.ts";

/** Milliseconds between two lines about the same shortage. */
const AGAIN_MS = 10_000;

/** A guest, and how many mbufs it holds. */
export interface GuestMbufs {
  /** What the log calls it. */
  readonly name: string;
  /** Mbufs that it holds. */
  readonly mbufs: number;
}

/** Logs which guests hold a region's mbufs when frames are dropped for lack of mbufs. */
export class MbufShortage {
  #dropped = 0;
  #toldAt = -AGAIN_MS;

  /**
   * Nothing has been dropped yet.
   *
   * @param ports The counters of the region's ports.
   */
  constructor(
    private readonly ports: readonly Counters[],
    private readonly log: Log,
  ) {}

  /** Look whether frames were dropped since the last call. `now` is a clock in milliseconds. */
  step(
    now: number,
    { available, total }: { available: number; total: number },
    guests: readonly GuestMbufs[],
  ): void {
    const dropped = this.ports.reduce(
      (sum, counters) => sum + counters[COUNTER.NO_MBUF] + counters[COUNTER.HOLD_MAX],
      0,
    );
    const more = dropped - this.#dropped;
    if (more === 0 || now - this.#toldAt < AGAIN_MS) return;
    this.#dropped = dropped;
    this.#toldAt = now;
    const held = guests.reduce((sum, { mbufs }) => sum + mbufs, 0);
    const rest = Math.max(0, total - available - held);
    const counts = [...guests, { name: "ports and lcores", mbufs: rest }]
      .filter(({ mbufs }) => mbufs > 0)
      .map(({ name, mbufs }) => `${mbufs} by ${name}`);
    this.log(
      `${more} frames dropped for want of mbufs: of ${total}, ${available} are free, held are ` +
        `${counts.join(", ") || "none"} (--mbufs, --hold-max)`,
      { level: "warning" },
    );
  }
}
