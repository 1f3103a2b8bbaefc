import { COUNTER, type Counters } from "../port/counters.ts";

/**
 * Violations after which a guest is put in quarantine, by default. A sound guest makes none, but
 * for one that was paused inside a burst for so long that its place was given to another: it may
 * finish that burst, 256 descriptors at most, in the name of its successor.
 */
export const QUARANTINE_AFTER = 1000;

/**
 * The most that one look may add, as a fraction of the limit: a quarter for positions, a sixteenth
 * for each wrong state. An impossible position is counted each time that an lcore sees it, a
 * million times a second, though a paused guest may have written it once, late: only a position
 * that stays for several looks reaches the limit. A wrong state is seen once, so that it counts
 * more.
 */
const POSITION_PARTS = 4, STATE_PARTS = 16;

/** Milliseconds between two looks at positions, however often the host steps. */
const POSITIONS_MS = 100;

/**
 * Milliseconds after which half of the count is forgotten: violations years apart are no attack.
 */
const HALF_LIFE_MS = 3_600_000;

/** What lcores count of a guest's violations, in words. */
const KINDS: readonly (readonly [counter: number, what: string])[] = [
  [COUNTER.BEYOND, "handles of no mbuf"],
  [COUNTER.ANOTHERS, "handles of another guest's mbufs"],
  [COUNTER.OUTSIDE, "frames out of their mbuf"],
  [COUNTER.SHORT, "frames too short"],
  [COUNTER.LONG, "frames too long"],
  [COUNTER.POSITION, "impossible ring positions"],
];

/**
 * The violations in one guest's place, by kind, for as long as this host lives: those of all guests
 * that were in the place count, and each hour the count is halved. For the main thread; lcores only
 * count.
 */
export class ViolationCounters {
  readonly #ports: readonly Counters[];
  readonly #limit: number;
  #states = 0;
  #introductions = 0;
  #positionsSeen = 0;
  #positionsAt = -Infinity;
  #positionWeight = 0;
  #forgotten = 0;
  #forgotAt?: number;

  /**
   * Nothing wrong so far; what a host before this one has counted does not weigh.
   *
   * @param ports The counters of all ports that the guest has.
   * @param limit Violations after which the guest is put in quarantine; 0 for never.
   */
  constructor(ports: readonly Counters[], limit: number) {
    this.#ports = ports;
    this.#limit = limit;
    this.#positionsSeen = this.#sum(COUNTER.POSITION);
    this.#forgotten = this.#sum(COUNTER.FOREIGN) + this.#sum(COUNTER.MALFORMED);
  }

  /** The guest has written a state that was not its to write. */
  countState(): void {
    this.#states++;
  }

  /** The guest has introduced itself with impossible values. */
  countIntroduction(): void {
    this.#introductions++;
  }

  /** Add what was counted since the last look: whether it is too much. `now` is in milliseconds. */
  look(now: number): boolean {
    if (this.#limit === 0) return false;
    if (now - this.#positionsAt >= POSITIONS_MS) this.#lookAtPositions(now);
    const looks = (this.#states + this.#introductions) * Math.ceil(this.#limit / STATE_PARTS);
    const counted = this.#sum(COUNTER.FOREIGN) + this.#sum(COUNTER.MALFORMED);
    const weight = counted + this.#positionWeight + looks - this.#forgotten;
    this.#forget(weight, now);
    return weight >= this.#limit;
  }

  #lookAtPositions(now: number): void {
    const positions = this.#sum(COUNTER.POSITION);
    const most = Math.ceil(this.#limit / POSITION_PARTS);
    // Never less than 0: a guest gets no credit, whatever its lanes begin to count at.
    this.#positionWeight += Math.max(0, Math.min(positions - this.#positionsSeen, most));
    this.#positionsSeen = positions;
    this.#positionsAt = now;
  }

  #forget(weight: number, now: number): void {
    this.#forgotAt ??= now;
    if (now - this.#forgotAt < HALF_LIFE_MS) return;
    this.#forgotAt = now;
    this.#forgotten += Math.ceil(weight / 2);
  }

  /** All violations by kind, in words; empty if there are none. */
  get text(): string {
    const given = this.#sum(COUNTER.FOREIGN) - this.#sum(COUNTER.BEYOND) -
      this.#sum(COUNTER.ANOTHERS);
    const all: (readonly [number, string])[] = [
      [given, "handles made up or given twice"],
      ...KINDS.map(([counter, what]) => [this.#sum(counter), what] as const),
      [this.#states, "states that were not its to write"],
      [this.#introductions, "impossible introductions"],
    ];
    return all.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`).join(", ");
  }

  #sum(counter: number): number {
    return this.#ports.reduce((sum, counters) => sum + counters[counter], 0);
  }
}
