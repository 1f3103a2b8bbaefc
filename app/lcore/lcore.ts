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

/** What it answers: its result, or its failure in words. */
type Answer<Result> = { readonly result: Result } | { readonly failure: string };

/** One pinned Worker. */
export interface Lcore<Result> {
  /** The core that it is pinned to. */
  readonly core: number;
  /** Settles when its loop returns; rejects if it throws. */
  readonly done: Promise<Result>;
}

/**
 * Start an lcore: a Worker that runs the module at `url`, which calls {@linkcode serveLcore}.
 *
 * @param init What the loop needs; must survive `postMessage`.
 */
export function startLcore<Init, Result>(
  url: URL,
  core: number,
  command: CommandWord,
  init: Init,
): Lcore<Result> {
  const worker = new Worker(url, { type: "module", name: `lcore ${core}` });
  const done = new Promise<Result>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer<Result>>) => {
      if ("result" in data) resolve(data.result);
      else reject(new CulvertError(data.failure));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new CulvertError(`Cannot run lcore ${core} as it failed: ${event.message}`));
    };
  }).finally(() => worker.terminate());
  worker.postMessage({ core, command: command.handle, init } satisfies Order<Init>);
  return { core, done };
}

/**
 * Called by an lcore's module: wait for the order, pin this thread, run the loop, answer.
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
}
