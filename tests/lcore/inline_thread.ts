import type { CommandWord } from "../../app/lcore/command.ts";
import type { Lcore, LcoreThread } from "../../app/lcore/lcore.ts";

/** What an lcore's thread runs, turn by turn. */
export interface Turning {
  /** One turn; false if it was the last one. */
  turn(): boolean;
  /** Give everything back. */
  close(): void;
}

/** The thread of an lcore that runs in the test's own: one turn each time that the test says so. */
export class InlineThread<Handle, Of extends Turning> implements LcoreThread<Handle> {
  readonly ready: Promise<void> = Promise.resolve();
  /** What it was told to run last. */
  handle?: Handle;
  /** What runs, if anything does. */
  running?: Of;
  #end = () => {};

  constructor(
    readonly core: number,
    private readonly make: (handle: Handle, command: CommandWord) => Of,
  ) {}

  isReady(): boolean {
    return true;
  }

  run(command: CommandWord, handle: Handle): Lcore {
    this.handle = handle;
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const lcore: Mutable<Lcore> = { core: this.core, done, isDone: false };
    try {
      this.running = this.make(handle, command);
    } catch (error) {
      done.catch(() => {});
      lcore.isDone = true;
      lcore.failure = error as Error;
      reject(error);
    }
    this.#end = () => {
      lcore.isDone = true;
      resolve();
    };
    return lcore;
  }

  /** One turn, if anything runs. */
  turn(): void {
    const { running } = this;
    if (running === undefined || running.turn()) return;
    running.close();
    this.running = undefined;
    this.#end();
  }

  close(): void {}
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
