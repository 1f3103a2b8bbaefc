import type { LineAbout, Log } from "../linux/log.ts";
import { check, CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { type CommandHandle, CommandWord } from "./command.ts";

/**
 * The time slice that an lcore asks for, as other threads may use its core: the kernel's shortest.
 */
const SLICE_NS = 100_000;

/**
 * What an lcore's Worker is sent: its core, its command word, and the handle of what it is to run.
 */
interface Order<Handle> {
  readonly core: number;
  readonly command: CommandHandle;
  readonly handle: Handle;
}

/** What an lcore's Worker is sent first: what it needs before it is sent an order. */
interface Preparation<Prepared> {
  readonly preparation: Prepared;
}

/**
 * What an lcore's Worker answers: that it has loaded, or why it cannot; lines for the log; in the
 * end the loop's result, or a message that says why the loop failed.
 */
type Answer<Result> =
  | { readonly ready: true; readonly report: unknown }
  | { readonly unready: string }
  | { readonly line: string; readonly about?: LineAbout }
  | { readonly result: Result }
  | { readonly failure: string };

/** An lcore whose loop runs, or has run. */
export interface Lcore<Result = void> {
  /** The core that it is pinned to. */
  readonly core: number;
  /** Settles when its loop returns; rejects if that throws. */
  readonly done: Promise<Result>;
  /** Whether {@linkcode done} has settled. */
  readonly isDone: boolean;
  /** Why it has rejected, if it has. */
  readonly failure?: Error;
}

/**
 * A thread that can run an lcore's loop. The programs have Workers; a test that wants a host or a
 * guest in its own thread gives them something that runs turn by turn.
 */
export interface LcoreThread<Handle, Result = void> {
  /** The core that it will be pinned to. */
  readonly core: number;
  /**
   * Settles when the thread can run a loop, with what its `prepare()` reports; rejects if it never
   * can.
   */
  readonly ready: Promise<unknown>;
  /**
   * Whether {@linkcode ready} has settled.
   *
   * @throws {CulvertError} if it has rejected.
   */
  isReady(): boolean;
  /**
   * Begin the loop.
   *
   * @param isKept Whether the thread is to run another loop after this one.
   */
  run(command: CommandWord, handle: Handle, isKept?: boolean): Lcore<Result>;
  /** End the thread, which runs no loop. */
  close(): void;
}

/**
 * The Worker of an lcore: the module at `url`, which calls {@linkcode serveLcore}. Loading the
 * module takes a second and more in an emulated VM, so the Worker may be made before there is a
 * loop to run.
 */
export class LcoreWorker<Handle, Result = void> implements LcoreThread<Handle, Result> {
  readonly ready: Promise<unknown>;
  readonly #worker: Worker;
  /** The end of the loop that runs, or of the next one. */
  #run = newRun<Result>();
  #isReady = false;
  #loadError?: CulvertError;

  /**
   * Begin to load the module. Its thread will be pinned to `core`; `log` is told what its loop
   * logs.
   */
  constructor(
    url: URL,
    readonly core: number,
    log: Log = () => {},
  ) {
    const ready = Promise.withResolvers<unknown>();
    this.#worker = new Worker(url, { type: "module", name: `lcore ${core}` });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer<Result>>) => {
      if ("ready" in data) ready.resolve(data.report);
      else if ("unready" in data) ready.reject(new CulvertError(data.unready));
      else if ("line" in data) log(data.line, data.about);
      else if ("result" in data) this.#run.resolve(data.result);
      else this.#run.reject(new CulvertError(data.failure));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new CulvertError(`Cannot run lcore ${core} as it failed: ${event.message}`);
      ready.reject(error);
      this.#run.reject(error);
    };
    this.ready = ready.promise;
    this.ready.then(() => this.#isReady = true, (error) => this.#loadError = error);
  }

  /**
   * Let the Worker get ready, once, before its first loop.
   *
   * @param preparation For the `prepare()` of its module.
   */
  prepare(preparation?: unknown): this {
    this.#worker.postMessage({ preparation } satisfies Preparation<unknown>);
    return this;
  }

  isReady(): boolean {
    if (this.#loadError) throw this.#loadError;
    return this.#isReady;
  }

  run(command: CommandWord, handle: Handle, isKept = false): Lcore<Result> {
    const { core } = this;
    const { promise } = this.#run;
    this.#worker.postMessage({ core, command: command.handle, handle } satisfies Order<Handle>);
    const end = (failure?: Error) => {
      lcore.isDone = true;
      lcore.failure = failure;
      if (!isKept) this.close();
      else this.#run = newRun();
    };
    const lcore: Mutable<Lcore<Result>> = { core, done: promise, isDone: false };
    promise.then(() => end(), end);
    return lcore;
  }

  close(): void {
    this.#worker.terminate();
  }
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

function newRun<Result>(): PromiseWithResolvers<Result> {
  const run = Promise.withResolvers<Result>();
  run.promise.catch(() => {}); // an error may come while nobody waits
  return run;
}

/**
 * Called by an lcore's module: prepare, wait for an order, pin this thread, run the loop, answer.
 *
 * The thread is pinned just before its loop runs: threads that it made after that would inherit the
 * mask, and V8's helpers must not run on the lcore's core.
 */
export function serveLcore<Handle, Result, Given = undefined, Prepared = undefined>(
  loop: (
    handle: Handle,
    command: CommandWord,
    log: Log,
    prepared: Prepared,
  ) => Result,
  prepare?: (given: Given) => Promise<{ prepared: Prepared; report?: unknown }>,
): void {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<Order<Handle> | Preparation<Given>>) => void;
    postMessage(answer: Answer<Result>): void;
    onunhandledrejection: (event: PromiseRejectionEvent) => void;
  };
  scope.onunhandledrejection = (event) => {
    event.preventDefault();
    scope.postMessage({ line: `a promise that nothing waits for: ${messageOf(event.reason)}` });
  };
  let preparing: Promise<{ prepared: Prepared; report?: unknown } | undefined>;
  const getReady = async (given: Given) => {
    preparing = Promise.resolve(prepare?.(given));
    try {
      const report = (await preparing)?.report;
      scope.postMessage({ ready: true, report });
    } catch (error) {
      scope.postMessage({ unready: messageOf(error) });
    }
  };
  const run = async ({ core, command, handle }: Order<Handle>) => {
    try {
      const prepared = (await preparing)?.prepared as Prepared;
      check(shim.shim_thread_pin(core), `pin a thread to core ${core}`);
      shim.shim_thread_share(SLICE_NS, 0); // a wish: a kernel or a sandbox may not know it
      const log: Log = (line, about) =>
        scope.postMessage({ line, ...about === undefined ? {} : { about } });
      scope.postMessage({ result: loop(handle, new CommandWord(command), log, prepared) });
    } catch (error) {
      scope.postMessage({ failure: messageOf(error) });
    }
  };
  scope.onmessage = ({ data }) => "preparation" in data ? getReady(data.preparation) : run(data);
}

function messageOf(error: unknown): string {
  return error instanceof CulvertError ? error.message : String((error as Error).stack);
}
