import { CulvertError } from "../../ffi/error.ts";
import type { LcoreThread } from "./lcore.ts";

/** Threads of lcores that stay while they run one loop after another. */
export class KeptThreads<Handle, Result = void> {
  readonly #kept = new Map<number, LcoreThread<Handle, Result>>();
  #isSettled = false;

  /** No thread yet. `spawn` makes one for a core. */
  constructor(private readonly spawn: (core: number) => LcoreThread<Handle, Result>) {}

  /**
   * Lend the thread of a core, which runs no loop.
   *
   * @throws {CulvertError} if there is none, and none can be made any more.
   */
  readonly lend = (core: number): LcoreThread<Handle, Result> => {
    let thread = this.#kept.get(core);
    if (!thread) {
      if (this.#isSettled) {
        throw new CulvertError(
          `Cannot forward on core ${core} as no lcore was started there: start the host anew`,
        );
      }
      thread = this.spawn(core);
      this.#kept.set(core, thread);
    }
    const { ready, isReady, run } = thread;
    return {
      core,
      ready,
      isReady: isReady.bind(thread),
      run: (command, handle) => run.call(thread, command, handle, true),
      close: () => {},
    };
  };

  /** From now on make no thread: the permissions for that are given up. */
  settle(): void {
    this.#isSettled = true;
  }

  /** End all threads. None may run a loop. */
  close(): void {
    for (const thread of this.#kept.values()) thread.close();
  }
}
