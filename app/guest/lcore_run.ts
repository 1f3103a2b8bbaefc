import { COMMAND, CommandWord } from "../lcore/command.ts";
import type { Lcore, LcoreThread } from "../lcore/lcore.ts";
import { COUNTERS_BYTES, readCounters } from "../channel/function_counters.ts";
import type { Functions } from "./function/load.ts";
import { Progress, PROGRESS_BYTES } from "./function/progress.ts";
import type { GuestLcoreHandle, LcoreLegacy, Saved } from "./guest_lcore.ts";
import type { LcorePlan } from "./plan_lcores.ts";

/** The thread of a guest's lcore. What inline threads of tests return is not used. */
export type GuestThread = LcoreThread<GuestLcoreHandle, Saved | void>;

/** Functions, and the threads that have loaded them: one for each core of the options. */
export interface LoadedVersion {
  /** What is done to bursts. */
  readonly functions: Functions;
  /** Threads that no port is left for stay idle. */
  readonly threads: readonly GuestThread[];
}

/** What all lcores of a guest are told, each the same. */
export type Common = Omit<GuestLcoreHandle, "counters" | "progress" | "before" | "lcore" | "lanes">;

/** Lcores that run one version of the functions, until they are told to stop. */
export class LcoreRun {
  /** What the functions count, of each lcore. */
  readonly counters: readonly SharedArrayBuffer[];
  /** How far each lcore has come. */
  readonly progress: readonly Progress[];
  readonly #command = CommandWord.create();
  readonly #lcores: readonly Lcore<Saved | void>[];
  readonly #saved: Saved[] = [];

  /**
   * Start them.
   *
   * @param before What they take over from.
   * @param wake Called when an lcore has ended.
   */
  constructor(
    common: Common,
    plan: readonly LcorePlan[],
    threads: readonly GuestThread[],
    before: readonly LcoreLegacy[],
    wake: () => void,
  ) {
    this.counters = plan.map(() => new SharedArrayBuffer(COUNTERS_BYTES));
    const progress = plan.map(() => new SharedArrayBuffer(PROGRESS_BYTES));
    this.progress = progress.map((buffer) => new Progress(buffer));
    this.#lcores = plan.map(({ lanes }, lcore) => {
      const own = { counters: this.counters[lcore], progress: progress[lcore], lcore, lanes };
      return threads[lcore].run(this.#command, { ...common, ...own, before: before[lcore] }, true);
    });
    this.#lcores.forEach(({ done }, i) => {
      done.then((saved) => this.#saved[i] = saved ?? [], () => {}).then(wake);
    });
  }

  /** Whether all lcores have been set up. */
  get hasBegun(): boolean {
    return this.progress.every(({ hasBegun }) => hasBegun);
  }

  /** Whether all lcores have ended. */
  get hasEnded(): boolean {
    return this.#lcores.every(({ isDone }) => isDone);
  }

  /** Why an lcore has ended that was not told to. */
  get failure(): Error | undefined {
    return this.#lcores.find(({ failure }) => failure !== undefined)?.failure;
  }

  /** What the lcores leave to others, once all have ended. */
  get legacy(): LcoreLegacy[] {
    return this.counters.map((buffer, i) => ({
      saved: this.#saved[i] ?? [],
      counted: readCounters(new Uint8Array(buffer)),
    }));
  }

  /** Tell the lcores to stop. */
  stop(): void {
    this.#command.value = COMMAND.STOP;
  }

  /** Give up what the lcores had. All must have ended. */
  close(): void {
    this.#command.close();
  }
}
