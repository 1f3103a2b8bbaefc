import { Progress, PROGRESS_BYTES } from "../guest/function/progress.ts";
import type { TrialWatchOrder } from "./trial_watch_worker.ts";

/**
 * Says on stderr, by a thread of its own, that a function which this thread runs does not return.
 */
export class TrialWatch implements Disposable {
  /** Which function is at work, as the trial tells it. */
  readonly progress: Progress;
  readonly #worker: Worker;

  /** Watch functions that are called `names`. */
  constructor(names: readonly string[]) {
    const progress = new SharedArrayBuffer(PROGRESS_BYTES);
    this.progress = new Progress(progress);
    const url = new URL("./trial_watch_worker.ts", import.meta.url);
    this.#worker = new Worker(url, { type: "module", name: "trial watch" });
    this.#worker.postMessage({ progress, names } satisfies TrialWatchOrder);
  }

  /** Watch no more. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
