import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { SLEEP } from "../memory/layout.ts";

/**
 * One side's sleeping flag on a channel: written by the lcore that sleeps, read by the one that
 * would wake it.
 *
 * No wake-up is lost: the sleeper raises the flag, fences, looks at its rings once more, sleeps;
 * the other side publishes, fences, looks at the flag. The side that comes second sees what the
 * first one wrote (Dekker). The flag counts, odd while asleep, so that a {@linkcode Doorbell} is
 * rung once for each sleep.
 */
export class SleepFlag {
  readonly #memory: MappedMemory;
  readonly #word: number;
  #count: number;

  /**
   * The lcore is awake.
   *
   * @param word Where the flag lies, as a word index: a channel's HOST_SLEEP or GUEST_SLEEP.
   * @param vector The interrupt that wakes this lcore; undefined if none does.
   */
  constructor(memory: MappedMemory, word: number, vector: number | undefined) {
    this.#memory = memory;
    this.#word = word + SLEEP.COUNT;
    this.#count = (memory.load(this.#word) + 1) & ~1;
    memory.store(word + SLEEP.VECTOR, vector === undefined ? 0 : vector + 1);
    this.lower();
  }

  /** About to sleep. The caller fences (F1), and looks at its rings once more, before it does. */
  raise(): void {
    this.#count = (this.#count + 1) >>> 0;
    // R1, pairs with A1: a side that sees the flag sees the vector stored before it.
    this.#memory.store(this.#word, this.#count);
  }

  /** Awake again. */
  lower(): void {
    this.#count = (this.#count + (this.#count & 1)) >>> 0;
    this.#memory.store(this.#word, this.#count);
  }
}

/**
 * The other side's end of a {@linkcode SleepFlag}: what is rung after something was published.
 *
 * The peer may write anything there: all that it gets is at most one wake-up for each number.
 */
export class Doorbell {
  readonly #memory: MappedMemory;
  readonly #word: number;
  readonly #wake: (vector: number) => boolean;
  #last = 0;

  /**
   * Ring for the peer whose flag lies at `word`.
   *
   * @param wake Raises an interrupt at the peer, by its vector; false if the peer has no such
   * vector.
   */
  constructor(memory: MappedMemory, word: number, wake: (vector: number) => boolean) {
    this.#memory = memory;
    this.#word = word;
    this.#wake = wake;
  }

  /**
   * Wake the peer, once, if it sleeps. Call this once all that the peer is to see has been
   * published.
   *
   * @returns whether the peer was woken.
   */
  notify(): boolean {
    // F2, pairs with F1 in Idle: either we see the sleeper's flag, or it sees what we published.
    // A1, pairs with R1: without it a vector that is older than the flag would make us miss this
    // sleep.
    const count = shim.shim_fenced_load(this.#memory.map, this.#word + SLEEP.COUNT);
    return (count & 1) !== 0 && count !== this.#last && this.#wakeOnce(count);
  }

  #wakeOnce(count: number): boolean {
    this.#last = count;
    const vector = this.#memory.u32[this.#word + SLEEP.VECTOR];
    return vector > 0 && this.#wake(vector - 1);
  }
}
