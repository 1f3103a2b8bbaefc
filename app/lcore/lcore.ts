import { CulvertError } from "../../ffi/error.ts";
import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { type CommandHandle, CommandWord } from "./command.ts";

/** What an lcore's Worker is sent: its core, its command word, and what its role needs. */
interface Order<Init> {
  readonly core: number;
  readonly command: CommandHandle;
  readonly init: Init;
}

/** What it answers: that it has loaded, later its result, or its failure in words. */
type Answer<Result> = { readonly ready: true } | { readonly result: Result } | {
  readonly failure: string;
};

/** One pinned Worker at work. */
export interface Lcore<Result> {
  /** The core that it is pinned to. */
  readonly core: number;
  /** Settles when its loop returns; rejects if it throws. */
  readonly done: Promise<Result>;
}

/**
 * A Worker for an lcore: the module at `url`, which calls {@linkcode serveLcore}. Loading it takes
 * time, a second and more in an emulated VM, so it may be made before there is work.
 */
export class LcoreWorker<Init, Result> {
  /** Settles when the module has loaded; rejects if it cannot. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  /** Of the run that is under way, or of the next one. */
  #run = newRun<Result>();

  /**
   * Begin to load the module.
   *
   * @param core The core that its thread will be pinned to.
   */
  constructor(url: URL, readonly core: number) {
    const ready = Promise.withResolvers<void>();
    this.#worker = new Worker(url, { type: "module", name: `lcore ${core}` });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer<Result>>) => {
      if ("ready" in data) ready.resolve();
      else if ("result" in data) this.#run.resolve(data.result);
      else this.#run.reject(new CulvertError(data.failure));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new CulvertError(`Cannot run lcore ${core} as it failed: ${event.message}`);
      ready.reject(error);
      this.#run.reject(error);
    };
    ready.promise.catch(() => {}); // nobody need wait for both
    this.ready = ready.promise;
  }

  /**
   * Run the loop.
   *
   * @param init What the loop needs; must survive `postMessage`.
   * @param isKept Whether it may be run once more, after this; else the Worker ends with it.
   */
  run(command: CommandWord, init: Init, isKept = false): Lcore<Result> {
    const { core } = this;
    const { promise } = this.#run;
    this.#worker.postMessage({ core, command: command.handle, init } satisfies Order<Init>);
    const done = promise.finally(() => {
      if (!isKept) this.close();
      else this.#run = newRun();
    });
    done.catch(() => {});
    return { core, done };
  }

  /** End a Worker that is not running a loop. */
  close(): void {
    this.#worker.terminate();
  }
}

function newRun<Result>(): PromiseWithResolvers<Result> {
  const run = Promise.withResolvers<Result>();
  run.promise.catch(() => {}); // an error may come while nobody waits
  return run;
}

/** Start an lcore: a {@linkcode LcoreWorker} that is given its work at once. */
export function startLcore<Init, Result>(
  url: URL,
  core: number,
  command: CommandWord,
  init: Init,
): Lcore<Result> {
  return new LcoreWorker<Init, Result>(url, core).run(command, init);
}

/**
 * Called by an lcore's module: wait for an order, pin this thread, run the loop, answer.
 *
 * The thread is pinned here, last of all: threads made later would inherit the mask, and V8's helpers
 * must not share the lcore's core.
 */
export function serveLcore<Init, Result>(loop: (init: Init, command: CommandWord) => Result): void {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<Order<Init>>) => void;
    postMessage(answer: Answer<Result>): void;
  };
  scope.onmessage = ({ data: { core, command, init } }) => {
    try {
      check(shim.shim_thread_pin(core), `pin a thread to core ${core}`);
      scope.postMessage({ result: loop(init, new CommandWord(command)) });
    } catch (error) {
      const failure = error instanceof CulvertError
        ? error.message
        : String((error as Error).stack);
      scope.postMessage({ failure });
    }
  };
  scope.postMessage({ ready: true });
}
