import { check } from "../../ffi/error.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";

/** What lcores are told to do. */
export const COMMAND = {
  /** Forward. */
  RUN: 0,
  /** Take no more frames from ports, but forward the frames that are under way. */
  DRAIN: 1,
  /** Return. */
  STOP: 2,
} as const;

/** A {@linkcode CommandWord} on its way to a Worker; survives `postMessage`. */
export interface CommandHandle {
  /** A page that only this process sees; its first word is the command. */
  readonly memory: MappedMemoryHandle;
  /** An eventfd: readable for good once a command has been given. */
  readonly wakeFd: number;
}

/**
 * The word by which the main thread tells its lcores what to do, and an eventfd that wakes lcores
 * that sleep. An lcore in its loop hears nothing else: `terminate()` does not stop a busy Worker.
 */
export class CommandWord {
  readonly #memory: MappedMemory;

  /** Adopt the word that `handle` describes, in any thread of the process that made it. */
  constructor(readonly handle: CommandHandle) {
    this.#memory = new MappedMemory(handle.memory);
  }

  /** A new word that says RUN. */
  static create(): CommandWord {
    const { handle } = MappedMemory.ofProcess(4096);
    return new CommandWord({
      memory: handle,
      wakeFd: check(shim.shim_eventfd(), "make an eventfd"),
    });
  }

  /** What lcores are to do now. */
  get value(): number {
    return this.#memory.load(0);
  }

  /**
   * Tell the lcores, and wake those that sleep. The eventfd stays signalled: no lcore sleeps again.
   */
  set value(command: number) {
    this.#memory.store(0, command);
    shim.shim_eventfd_signal(this.handle.wakeFd);
  }

  /** Let lcores begin without taking frames from ports; nobody is woken. */
  hold(): void {
    this.#memory.store(0, COMMAND.DRAIN);
  }

  /** Let lcores that were held forward: those that sleep see it when a frame wakes them. */
  release(): void {
    this.#memory.store(0, COMMAND.RUN);
  }

  /** Give memory and eventfd back. All lcores must have returned: they would read RUN again. */
  close(): void {
    this.#memory.close();
    shim.shim_fd_close(this.handle.wakeFd);
  }
}
