import { shim } from "../../../ffi/shim.ts";
import type { Counter, FunctionCounters } from "../../channel/function_counters.ts";

/** A port, as a function sees it. */
export interface PortDescription {
  /** As `sendTo()` takes it, from 0. */
  readonly number: number;
  /** The name of the host's port: `tap0`, up to 15 bytes. */
  readonly name: string;
  /** The MAC address of the host's port, 6 bytes. */
  readonly mac: Uint8Array;
}

/** What `setup()` is given: what a function may know and use, in one lcore. */
export interface Context<Options = unknown> {
  /** The guest's ports, by their numbers. */
  readonly ports: readonly PortDescription[];
  /** This lcore's number, from 0; each has an instance of the function. */
  readonly lcore: number;
  /** How many lcores the guest has. */
  readonly lcores: number;
  /** What `--set` gave, as the file's `options` have made it. */
  readonly options: Options;
  /** Milliseconds that have passed since some moment: read it each time as `context.now`. */
  readonly now: number;
  /** Gives the counter of a name. */
  readonly counter: (name: string) => Counter;
  /**
   * Call `work` each time that so many milliseconds have passed, between two bursts: not more often
   * than the lcore wakes, which is ten times a second while nothing comes.
   */
  readonly every: (milliseconds: number, work: () => void) => void;
  /** Write a line to the guest's log. */
  readonly log: (line: string) => void;
}

interface Timer {
  readonly period: number;
  readonly work: () => void;
  due: number;
}

/** The {@linkcode Context} of one function in one lcore, and its timers. */
export class FunctionContext implements Context {
  readonly #timers: Timer[] = [];
  readonly #counters: FunctionCounters;
  readonly #clock: () => number;

  /**
   * What a function may know and use.
   *
   * @param clock Nanoseconds that have passed since some moment.
   */
  constructor(
    readonly ports: readonly PortDescription[],
    readonly lcore: number,
    readonly lcores: number,
    readonly options: unknown,
    counters: FunctionCounters,
    readonly log: (line: string) => void,
    clock: () => number = shim.shim_clock,
  ) {
    this.#counters = counters;
    this.#clock = clock;
  }

  get now(): number {
    return this.#clock() / 1e6;
  }

  // Members, not methods: setup({ counter, every }) takes them out of the context.

  readonly counter = (name: string): Counter => this.#counters.counter(name);

  readonly every = (milliseconds: number, work: () => void): void => {
    if (!(milliseconds > 0)) {
      throw new RangeError(`Cannot call something each ${milliseconds} ms: more than 0 are wanted`);
    }
    this.#timers.push({ period: milliseconds, work, due: this.now + milliseconds });
  };

  /** Whether there is something to be called at intervals. */
  get hasTimers(): boolean {
    return this.#timers.length > 0;
  }

  /**
   * Call what is due, all of it. `now` is the time in milliseconds.
   *
   * @throws what was thrown first, once all were called.
   */
  tick(now: number): void {
    let thrown: { error: unknown } | undefined;
    for (const timer of this.#timers) {
      if (now < timer.due) continue;
      timer.due = Math.max(timer.due + timer.period, now);
      try {
        timer.work();
      } catch (error) {
        thrown ??= { error };
      }
    }
    if (thrown !== undefined) throw thrown.error;
  }
}
