/**
 * Tells for how long a heartbeat has stood still: a counter that its writer raises while it lives.
 */
export class HeartbeatWatch {
  #count: number;
  #changedAt: number;

  /** Begin with the present count; `now` is a clock in milliseconds. */
  constructor(count: number, now: number) {
    this.#count = count;
    this.#changedAt = now;
  }

  /** Look once more. Returns for how many milliseconds the count has been the same. */
  silence(count: number, now: number): number {
    if (count !== this.#count) this.#changedAt = now;
    this.#count = count;
    return now - this.#changedAt;
  }
}
