import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";

/** How an lcore waits that has nothing to do. */
export type IdleMode = "poll" | "adaptive" | "sleep";

/** How long `adaptive` looks before it sleeps, and its turns between two looks at the clock. */
const SPIN_NS = 300_000, TURNS_PER_CLOCK = 16;

/** Sleeps of an lcore that nobody wakes grow from the one to the other. */
const NAP_MIN_US = 50;
const NAP_MAX_US = 1000;

/** Longest sleep of one that is woken: then it looks after its ports. */
const SLEEP_MAX_US = 100_000;

/**
 * Times in succession that an alarm may ring for nothing, which costs some microseconds each; then
 * it is not heard for so many naps, 0.1 s.
 */
const FALSE_ALARMS_MAX = 64, DEAF_NAPS = 100;

/** How an lcore is woken that sleeps until there is work. */
export interface Alarm {
  /** Readable when somebody has rung: eventfds. */
  readonly fds: readonly number[];
  /** Whether all who may have work ring, as things are. */
  readonly canNotify: boolean;
  /** Tell all who may have work that this lcore is about to sleep. */
  raise(): void;
  /** Tell them that it is awake. */
  lower(): void;
  /** Whether there is work already. Asked between {@linkcode raise} and the sleep. */
  hasWork(): boolean;
}

/**
 * What an lcore does when a turn of its loop found nothing.
 *
 * - `poll` pauses for some cycles and looks again.
 * - `adaptive` does so for 0.3 ms, then sleeps.
 * - `sleep` sleeps at once.
 *
 * A sleep lasts until a port has frames or the {@linkcode Alarm} rings, 0.1 s at most. An lcore
 * whose alarm does not ring for all, or rings again and again for nothing, takes naps instead, 50
 * us at first and 1 ms in the end (Agrona `BackoffIdleStrategy`): a frame in a ring may wait that
 * long.
 */
export class Idle {
  readonly #spinNs: number;
  readonly #alarm?: Alarm;
  #fds = new Int32Array(0);
  /** The same without the alarm's: in a nap nobody drains those, so that it would be none. */
  #napFds = new Int32Array(0);
  readonly #clock: () => number;
  #turns = 0;
  #idleSince = 0;
  #isTired = false;
  #napMicroseconds = NAP_MIN_US;
  #hasRung = false;
  #inSuccession = 0;
  #deafNaps = 0;
  /** How often the alarm has rung, and no work was found. */
  falseAlarms = 0;

  /**
   * Until {@linkcode watch} names descriptors only time and the alarm end a sleep.
   *
   * @param clock Nanoseconds that have passed since some moment.
   */
  constructor(mode: IdleMode, alarm?: Alarm, clock: () => number = shim.shim_clock) {
    this.#clock = clock;
    this.#spinNs = { poll: Infinity, adaptive: SPIN_NS, sleep: 0 }[mode];
    this.#alarm = alarm;
    this.watch([]);
  }

  /** When the first of the turns began to wait that have found nothing since the last work. */
  get since(): number {
    return this.#idleSince;
  }

  /** Wake on these descriptors from now on, and on the alarm's. */
  watch(fds: readonly number[]): void {
    this.#fds = Int32Array.from(this.#alarm ? [...this.#alarm.fds, ...fds] : fds);
    this.#napFds = Int32Array.from(fds);
  }

  /** A turn found work. */
  reset(): void {
    this.#turns = 0;
    this.#isTired = false;
    this.#napMicroseconds = NAP_MIN_US;
    this.#hasRung = false;
    this.#inSuccession = 0;
  }

  /** A turn found nothing. */
  wait(): void {
    if (!this.#isTired) this.#lookAtClock();
    if (!this.#isTired) shim.shim_pause(4);
    else if (this.#deafNaps === 0 && this.#alarm?.canNotify) this.#sleep(this.#alarm);
    else this.#nap();
  }

  #lookAtClock(): void {
    const turn = this.#turns++;
    if (turn % TURNS_PER_CLOCK !== 0) return;
    const now = this.#clock();
    if (turn === 0) this.#idleSince = now;
    this.#isTired = now - this.#idleSince >= this.#spinNs;
  }

  #sleep(alarm: Alarm): void {
    if (this.#hasRung) this.#countFalseAlarm();
    alarm.raise();
    shim.shim_full_fence(); // F1, pairs with F2 in Doorbell.notify()
    if (!alarm.hasWork()) {
      check(shim.shim_poll(this.#fds, this.#fds.length, SLEEP_MAX_US), this.#what());
      for (const fd of alarm.fds) if (shim.shim_eventfd_drain(fd) > 0) this.#hasRung = true;
    }
    alarm.lower();
  }

  #countFalseAlarm(): void {
    this.#hasRung = false;
    this.falseAlarms++;
    if (++this.#inSuccession <= FALSE_ALARMS_MAX) return;
    this.#inSuccession = 0;
    this.#deafNaps = DEAF_NAPS;
  }

  #what(): string {
    return `sleep on ${this.#fds.length} descriptors`;
  }

  #nap(): void {
    check(shim.shim_poll(this.#napFds, this.#napFds.length, this.#napMicroseconds), this.#what());
    if (this.#deafNaps > 0) this.#deafNaps--;
    this.#napMicroseconds = Math.min(this.#napMicroseconds * 2, NAP_MAX_US);
  }
}
