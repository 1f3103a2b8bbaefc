import { CulvertError } from "../../../ffi/error.ts";
import { told } from "../function/chain.ts";

/**
 * Finds errors in what functions leave to be done later: nothing waits for their promises and
 * timers, so that Deno would end the program.
 */
export class Rejections implements Disposable {
  readonly #reasons: unknown[] = [];
  readonly #rejected = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    this.#reasons.push(event.reason);
  };
  readonly #failed = (event: ErrorEvent) => {
    event.preventDefault();
    this.#reasons.push(event.error);
  };

  /** Look from now on. */
  constructor() {
    addEventListener("unhandledrejection", this.#rejected);
    addEventListener("error", this.#failed);
  }

  /**
   * Let promises and timers that are due run.
   *
   * @throws {CulvertError} with what was rejected first, if anything was until now.
   */
  async check(): Promise<void> {
    // Two turns of the event loop: on a busy machine one ended before Deno told of a rejection.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setTimeout(resolve));
    if (this.#reasons.length === 0) return;
    throw new CulvertError(
      `A promise or timer of the function has failed: ${
        told(this.#reasons[0])
      }: a function is done ` +
        "when it returns, nothing waits for what it leaves",
    );
  }

  /** Look no more. */
  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#rejected);
    removeEventListener("error", this.#failed);
  }
}
