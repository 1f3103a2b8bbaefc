import { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { MappedMemoryHandle } from "../../ffi/mapped_memory.ts";

/** Thrown out of a thread whose process is killed, wherever that happens to be. */
export class Killed extends Error {}

/** A simulated process: it may be killed, or paused as a VM is, at any moment. */
export class Process {
  isDead = false;
  /** It does nothing before this time, in milliseconds. */
  pausedUntil = 0;
  /** How many of its threads are in the middle of a step. */
  busy = 0;
  /** Moments at which others could go first, since this process began its last step. */
  moments = 0;

  /** `kill` ends it. */
  constructor(readonly name: string, readonly kill: () => void) {}
}

/** A thread of a process. It takes steps; in the middle of one others may take theirs. */
export interface Thread {
  readonly process?: Process;
  readonly name: string;
  /** When it wants its next step, in milliseconds. */
  dueAt: number;
  /** Whether it is in the middle of a step. */
  isBusy: boolean;
  step(): void;
}

/**
 * A region's memory, as one process has it mapped. Before each atomic access the scheduler may let
 * others go first, or kill the process.
 */
export class SimMemory extends MappedMemory {
  constructor(handle: MappedMemoryHandle, private readonly before: () => void) {
    super(handle);
  }

  override load(word: number): number {
    this.before();
    return super.load(word);
  }

  override store(word: number, value: number): void {
    this.before();
    super.store(word, value);
  }

  override compareAndSwap(word: number, expected: number, desired: number): boolean {
    this.before();
    return super.compareAndSwap(word, expected, desired);
  }

  /** The region outlives its processes. */
  override close(): void {}
}
