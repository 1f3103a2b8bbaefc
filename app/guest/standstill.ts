import { CulvertError } from "../../ffi/error.ts";
import type { Progress } from "./function/progress.ts";

/** Milliseconds after which a function that does not return is reported. */
const PATIENCE_MS = 1000;

/** The same in a trial, which runs code that was never run before. */
const TRIAL_PATIENCE_MS = 2000;

/** Milliseconds from one look at a trial to the next. */
const LOOK_MS = 100;

/** Where an lcore was when it was last seen to move. */
interface Seen {
  calls: number;
  atWork: number | undefined;
  since: number;
  isTold: boolean;
}

/** Looks, from the main thread, for functions that do not return. */
export class Standstill {
  #seen: Seen[] = [];

  /**
   * None stands still yet.
   *
   * @param told Called once an lcore stands still, with its number and that of the function.
   * @param goesOn Called once it goes on.
   * @param patienceMs How long a function may be at work.
   */
  constructor(
    private readonly told: (lcore: number, functionAtWork: number) => void,
    private readonly goesOn: (lcore: number) => void = () => {},
    private readonly patienceMs: number = PATIENCE_MS,
  ) {}

  /** Whether every function has returned when we looked last. */
  get isMoving(): boolean {
    return this.#seen.every(({ isTold }) => !isTold);
  }

  /** For how many milliseconds a function has been at work, of the lcore where that is longest. */
  longest(now: number): number {
    const since = this.#seen.flatMap(({ atWork, since }) => atWork === undefined ? [] : since);
    return Math.max(0, ...since.map((time) => now - time));
  }

  /** Other lcores begin; those that were looked at have ended. */
  restart(): void {
    this.#seen.forEach(({ isTold }, lcore) => isTold && this.goesOn(lcore));
    this.#seen = [];
  }

  /** Look at each lcore, several times a second; `now` is the time in milliseconds. */
  look(lcores: readonly Progress[], now: number): void {
    lcores.forEach(({ calls, atWork }, lcore) => {
      const seen = this.#seen[lcore] ??= { calls, atWork, since: now, isTold: false };
      if (atWork === undefined || calls !== seen.calls || atWork !== seen.atWork) {
        if (seen.isTold) this.goesOn(lcore);
        this.#seen[lcore] = { calls, atWork, since: now, isTold: false };
      } else if (!seen.isTold && now - seen.since >= this.patienceMs) {
        seen.isTold = true;
        this.told(lcore, atWork);
      }
    });
  }
}

/**
 * What `promise` gives, or an error once a function has not returned for 2 s in its trial, or
 * `mostMs` milliseconds have passed.
 *
 * @param lcores How far each thread has come with the trial.
 * @param names What the functions are called.
 */
export async function whileMoving<Result>(
  promise: Promise<Result>,
  lcores: readonly Progress[],
  names: readonly string[],
  mostMs: number,
): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const told = (_: number, i: number) =>
    reject(
      new CulvertError(
        `function ${
          names[i]
        } has not returned for 2 s in its trial; its thread keeps a core busy ` +
          "until culvert is started anew",
      ),
    );
  const standstill = new Standstill(told, () => {}, TRIAL_PATIENCE_MS);
  const end = performance.now() + mostMs;
  const timer = setInterval(() => {
    const now = performance.now();
    standstill.look(lcores, now);
    if (now > end) {
      reject(new CulvertError(`it has not been loaded and tried within ${mostMs / 1000} s`));
    }
  }, LOOK_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearInterval(timer);
  }
}
