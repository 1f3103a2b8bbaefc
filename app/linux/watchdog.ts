import type { ServiceManager } from "./service_manager.ts";

/** How often within its limit a watchdog is fed. */
const FEEDINGS = 3;

/** Tells a service manager that we live, as often as it wants: sd_watchdog_enabled(3). */
export class Watchdog {
  readonly #periodMs: number;
  #fedAt = -Infinity;

  /** For a service manager, which may want no sign of life. */
  constructor(private readonly manager: ServiceManager) {
    this.#periodMs = (manager.watchdogMs ?? Infinity) / FEEDINGS;
  }

  /**
   * Feed it if it is due.
   *
   * @param now A clock in milliseconds.
   * @param isWell Asked then whether there is progress; without it the service manager ends us.
   */
  feed(now: number, isWell: () => boolean): void {
    if (this.#periodMs === Infinity || now - this.#fedAt < this.#periodMs || !isWell()) return;
    this.#fedAt = now;
    this.manager.tell(["WATCHDOG=1"]);
  }
}
