/** Bytes of memory for a {@linkcode Progress}. */
export const PROGRESS_BYTES = 12;

/**
 * Words: bursts that were begun, and 1 once the lcore is set up; the function at work, plus 1; how
 * often a function was called for something else than a burst.
 */
const BURSTS = 0, AT_WORK = 1, CALLS = 2;

/** How far an lcore has come with its functions. The lcore writes, the main thread looks. */
export class Progress {
  readonly #words: Int32Array;

  /** Use {@linkcode PROGRESS_BYTES} of `buffer`, zeros at first. */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(PROGRESS_BYTES)) {
    this.#words = new Int32Array(buffer, 0, PROGRESS_BYTES / 4);
  }

  /** The lcore is set up, and about to begin. */
  begin(): void {
    this.#words[BURSTS]++;
  }

  /** Function number `i` gets a burst. */
  enter(i: number): void {
    this.#words[BURSTS] = this.#words[BURSTS] + 1 | 0;
    this.#words[AT_WORK] = i + 1;
  }

  /** Function number `i` is called for something else: it is set up, saves, or a timer is due. */
  call(i: number): void {
    this.#words[CALLS] = this.#words[CALLS] + 1 | 0;
    this.#words[AT_WORK] = i + 1;
  }

  /** No function is at work. */
  leave(): void {
    this.#words[AT_WORK] = 0;
  }

  /** Whether the lcore has been set up. */
  get hasBegun(): boolean {
    return this.#words[BURSTS] !== 0;
  }

  /** Changes each time that a function is called. */
  get calls(): number {
    return this.#words[BURSTS] + this.#words[CALLS] | 0;
  }

  /** The number of the function that is at work now, if there is one. */
  get atWork(): number | undefined {
    const word = this.#words[AT_WORK];
    return word === 0 ? undefined : word - 1;
  }
}
