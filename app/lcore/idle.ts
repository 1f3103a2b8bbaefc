import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { Spin } from "./spin.ts";

/** How an lcore that has nothing to do waits. */
export type IdleMode = "poll" | "adaptive" | "sleep";

/**
 * Turns without sleep between two looks at the clock, and two offers of the core to others: some 2
 * us, longer than the answer to one frame takes.
 */
const TURNS_PER_CLOCK = 32;

/** A thread that offers its core to others has it back sooner if no other wants it. */
const TAKEN_NS = 10_000;

/** Shortest and longest sleep of an lcore that nobody wakes: sleeps grow from one to the other. */
const NAP_MIN_US = 50;
const NAP_MAX_US = 1000;

/**
 * Sleep of an lcore that has no guest: only its ports bring work, and their frames end the sleep.
 */
const NAP_ALONE_US = 25_000;

/** Longest sleep of an lcore that is woken: then it looks after its ports. */
const SLEEP_MAX_US = 250_000;

/**
 * Times in succession that an alarm may ring for nothing, which costs some microseconds each. Then
 * it is ignored for {@linkcode DEAF_NAPS} naps, 0.1 s.
 */
const FALSE_ALARMS_MAX = 64, DEAF_NAPS = 100;

/** What wakes an lcore that sleeps until there is work. */
export interface Alarm {
  /** Readable when somebody has rung: eventfds. */
  readonly fds: readonly number[];
  /** Whether all peers that may bring work also ring, as things are. */
  readonly canNotify: boolean;
  /** Whether there are peers that may bring work; if left out, there are. */
  readonly hasPeers?: boolean;
  /** Tell all peers that may bring work that this lcore is about to sleep. */
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
 * - `adaptive` does so for as long as it pays, 0.2 ms at most ({@linkcode Spin}), then sleeps.
 * - `sleep` sleeps at once.
 *
 * While it looks, it offers its core to threads that wait for it. As long as none has taken it, the
 * first turns make no offer: work may come at once, and an offer is a system call.
 *
 * A sleep lasts until a port has frames or the {@linkcode Alarm} rings, 0.25 s at most. An lcore
 * whose alarm is not rung by all peers, or is rung again and again for nothing, takes naps instead,
 * 50 us at first and 1 ms in the end (Agrona `BackoffIdleStrategy`): a frame in a ring may wait
 * that long. If there are no peers, its naps grow to 25 ms.
 */
export class Idle {
  /** What `adaptive` learns. */
  readonly #spin?: Spin;
  /** How long the other modes spin. */
  readonly #spinNs: number;
  readonly #alarm?: Alarm;
  #fds = new Int32Array(0);
  /**
   * The same without the alarm's descriptors: nobody drains these in a nap, so that they would end
   * the nap at once.
   */
  #napFds = new Int32Array(0);
  #what = "";
  readonly #clock: () => number;
  #turns = 0;
  #idleSince = 0;
  /** Nanoseconds without work until then. */
  #idleNs = 0;
  #isTired = false;
  /** Whether another thread has taken the core when it was offered last. */
  #isCoreWanted = false;
  #napMicroseconds = NAP_MIN_US;
  #hasRung = false;
  #inSuccession = 0;
  #deafNaps = 0;
  /** How often the alarm has rung and no work was found. */
  falseAlarms = 0;

  /**
   * Until {@linkcode watch} names descriptors only time and the alarm end a sleep.
   *
   * @param clock Nanoseconds that have passed since some moment.
   * @param sleepMaxUs The longest sleep in microseconds.
   */
  constructor(
    mode: IdleMode,
    alarm?: Alarm,
    clock: () => number = shim.shim_clock,
    private readonly sleepMaxUs: number = SLEEP_MAX_US,
  ) {
    this.#clock = clock;
    if (mode === "adaptive") this.#spin = new Spin();
    this.#spinNs = mode === "poll" ? Infinity : 0;
    this.#alarm = alarm;
    this.watch([]);
  }

  /** Nanoseconds until `now` in which there was nothing to do. */
  nanosecondsUntil(now: number): number {
    return this.#idleNs + (this.#turns > 0 ? now - this.#idleSince : 0);
  }

  /** Wake on these descriptors from now on, and on the alarm's. */
  watch(fds: readonly number[]): void {
    this.#fds = Int32Array.from(this.#alarm ? [...this.#alarm.fds, ...fds] : fds);
    this.#napFds = Int32Array.from(fds);
    this.#what = `sleep on ${this.#fds.length} descriptors`;
  }

  /** A turn found work. */
  reset(): void {
    if (this.#turns === 0) return;
    const idle = this.#clock() - this.#idleSince;
    this.#idleNs += idle;
    this.#spin?.learn(idle);
    this.#turns = 0;
    this.#isTired = false;
    this.#napMicroseconds = NAP_MIN_US;
    this.#hasRung = false;
    this.#inSuccession = 0;
  }

  /** Whether {@linkcode wait} would do no more than pause, as things are. */
  get looksOn(): boolean {
    return !this.#isTired && this.#turns % TURNS_PER_CLOCK !== 0;
  }

  /** A turn found nothing. */
  wait(): void {
    if (!this.#isTired) this.#look();
    else if (this.#deafNaps === 0 && this.#alarm?.canNotify) this.#sleep(this.#alarm);
    else this.#nap();
  }

  /** Spin on, or, if that was long enough, sleep. */
  #look(): void {
    const turn = this.#turns++;
    if (turn % TURNS_PER_CLOCK !== 0) return shim.shim_pause(1);
    const now = this.#clock();
    if (turn === 0) this.#idleSince = now;
    const spinNs = this.#spin?.nanoseconds ?? this.#spinNs;
    this.#isTired = now - this.#idleSince >= spinNs;
    if (this.#isTired) return this.wait();
    if (turn === 0 && !this.#isCoreWanted) return;
    shim.shim_yield();
    this.#isCoreWanted = this.#clock() - now >= TAKEN_NS;
    if (!this.#spin || !this.#isCoreWanted) return;
    this.#spin.giveWay();
    this.#isTired = true;
  }

  #sleep(alarm: Alarm): void {
    if (this.#hasRung) this.#countFalseAlarm();
    alarm.raise();
    shim.shim_full_fence(); // F1, pairs with F2 in Doorbell.notify()
    if (!alarm.hasWork()) {
      check(shim.shim_poll(this.#fds, this.#fds.length, this.sleepMaxUs), this.#what);
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

  #nap(): void {
    check(shim.shim_poll(this.#napFds, this.#napFds.length, this.#napMicroseconds), this.#what);
    if (this.#deafNaps > 0) this.#deafNaps--;
    const most = this.#alarm?.hasPeers === false ? NAP_ALONE_US : NAP_MAX_US;
    this.#napMicroseconds = Math.min(this.#napMicroseconds * 2, most);
  }
}
