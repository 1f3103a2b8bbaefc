import type { Random } from "../kit/random.ts";
import { Killed, type Process, type Thread } from "./processes.ts";

/** How deep steps are nested: a thread is interrupted by one that is interrupted, and so on. */
const DEPTH_MAX = 3;

/**
 * Moments of one step after which it waits in vain, say for a host's lcore that it has interrupted
 * itself. Nothing but its death ends that.
 */
const MOMENTS_MAX = 2000;

/** Steps that others may take while a process is paused in the middle of one. */
const PAUSED_STEPS_MAX = 4000;

/**
 * Decides by a seed which thread takes the next step, and where in the middle of a step others come
 * first. Time is its own: it goes on by 0 to 2 ms a step, and to the next thread that is due if
 * none is.
 */
export class Scheduler {
  /** Milliseconds. */
  now = 1000;
  /** Steps so far, those in the middle of others among them. */
  steps = 0;
  /** Changes with each step: the same for the same seed. */
  fingerprint = 0;
  /** Whether each step is taken to its end before the next one. */
  isCalm = false;
  /** Called between two steps, where no thread is in the middle of one. */
  betweenSteps: () => void = () => {};
  /** Called after each step, in the middle of others too. */
  afterStep: () => void = () => {};
  /** Told of each step. */
  trace?: (line: string) => void;
  readonly threads: Thread[] = [];
  #depth = 0;

  constructor(readonly random: Random) {}

  /** Let threads take so many steps. */
  run(steps: number): void {
    for (const end = this.steps + steps; this.steps < end;) {
      this.#step();
      this.betweenSteps();
    }
  }

  /** A moment in the middle of a step of `process`: one in `odds` times others take steps now. */
  interrupt(process: Process, odds: number): void {
    if (++process.moments > MOMENTS_MAX) process.kill();
    this.checkAlive(process);
    if (this.isCalm || this.#depth === DEPTH_MAX || this.random.below(odds) > 0) return;
    this.#depth++;
    try {
      const most = this.random.below(8) > 0 ? 4 : 300;
      for (let n = 1 + this.random.below(most); n > 0; n--) this.#step();
      for (let n = 0; process.pausedUntil > this.now && n < PAUSED_STEPS_MAX; n++) this.#step();
    } finally {
      this.#depth--;
    }
    this.checkAlive(process);
  }

  /** End the step that a thread of a dead process is in the middle of. */
  checkAlive(process: Process): void {
    if (process.isDead) throw new Killed();
  }

  #step(): void {
    this.steps++;
    this.now += this.random.below(3);
    const thread = this.#next();
    if (thread !== undefined) this.#take(thread);
    this.afterStep();
  }

  /** Let a thread take its step. */
  #take(thread: Thread): void {
    this.fingerprint = Math.imul(this.fingerprint ^ this.threads.indexOf(thread), 0x01000193) ^
      this.now;
    this.trace?.(`${" ".repeat(this.#depth)}${this.now} ${thread.name}`);
    const { process } = thread;
    thread.isBusy = true;
    if (process && process.busy++ === 0) process.moments = 0;
    try {
      thread.step();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    } finally {
      thread.isBusy = false;
      const its = process ?? thread.process; // or the one that this step has begun
      if (its) its.busy--;
    }
  }

  /** A thread that may take a step; undefined if all are in the middle of one. */
  #next(): Thread | undefined {
    let earliest = Infinity;
    const due: Thread[] = [];
    for (const thread of this.threads) {
      if (thread.isBusy || thread.process?.isDead) continue;
      const at = Math.max(thread.dueAt, thread.process?.pausedUntil ?? 0);
      if (at <= this.now) due.push(thread);
      else if (at < earliest) earliest = at;
    }
    if (due.length > 0) return due[this.random.below(due.length)];
    if (earliest === Infinity) return undefined;
    this.now = earliest;
    return this.#next();
  }
}
