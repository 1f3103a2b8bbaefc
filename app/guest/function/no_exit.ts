/** How Deno and Workers end a program or thread, as far as functions can reach it. */
interface Ends {
  /** `Deno.exit()`, which `process.exit()` calls, too. */
  exit: unknown;
  /** `self.close()` of a Worker. */
  close: unknown;
}

/**
 * Until it is disposed of, `Deno.exit()` throws, and in a Worker `self.close()`: a function would
 * end its lcore without a word, and the guest would stand still.
 */
export class NoExit implements Disposable {
  readonly #deno = Deno as unknown as Pick<Ends, "exit">;
  readonly #scope = globalThis as unknown as Pick<Ends, "close">;
  readonly #exit = this.#deno.exit;
  readonly #close = this.#scope.close;

  /** From now on. */
  constructor() {
    this.#deno.exit = refuse;
    if ("WorkerGlobalScope" in globalThis) this.#scope.close = refuse;
  }

  /** As before. */
  [Symbol.dispose](): void {
    this.#deno.exit = this.#exit;
    this.#scope.close = this.#close;
  }
}

function refuse(): never {
  const error = new Error("a function cannot end its guest: throw, and use --on-error stop");
  Error.captureStackTrace(error, refuse); // its place is that of the call
  throw error;
}
