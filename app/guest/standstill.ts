import type { Log } from "../linux/log.ts";
import type { FunctionHandle } from "./function/function_module.ts";
import type { Progress } from "./function/progress.ts";

/** Milliseconds after which a function that does not return is told of. */
const PATIENCE_MS = 1000;

/** Where an lcore was when it was last seen to move. */
interface Seen {
  bursts: number;
  atWork: number | undefined;
  since: number;
  isTold: boolean;
}

/** Looks, from the main thread, for functions that do not return. */
export class Standstill {
  #seen: Seen[] = [];

  /** `log` is told which function stands still, and when it goes on. */
  constructor(private readonly log: Log) {}

  /** Whether every function has returned when we looked last. */
  get isMoving(): boolean {
    return this.#seen.every(({ isTold }) => !isTold);
  }

  /** Look at each lcore, some times a second; `now` is the time in milliseconds. */
  look(lcores: readonly Progress[], functions: readonly FunctionHandle[], now: number): void {
    lcores.forEach(({ bursts, atWork }, lcore) => {
      const seen = this.#seen[lcore] ??= { bursts, atWork, since: now, isTold: false };
      if (atWork === undefined || bursts !== seen.bursts || atWork !== seen.atWork) {
        if (seen.isTold) this.log(`lcore ${lcore} goes on`);
        this.#seen[lcore] = { bursts, atWork, since: now, isTold: false };
      } else if (!seen.isTold && now - seen.since >= PATIENCE_MS) {
        seen.isTold = true;
        const { name } = functions[atWork];
        this.log(`function ${name} has not returned for 1 s: lcore ${lcore} stands still`, {
          level: "error",
        });
      }
    });
  }
}
