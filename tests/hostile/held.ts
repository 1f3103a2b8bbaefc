/** The descriptors that a hostile guest holds, the oldest first. */
export class Held {
  /** The first word of each. */
  readonly words: number[] = [];
  readonly #data: number[] = [];

  get count(): number {
    return this.words.length;
  }

  /** Add the first `n` of a burst's `words`. */
  add(words: Uint32Array, n: number): void {
    for (let i = 0; i < n; i++) {
      this.words.push(words[2 * i]);
      this.#data.push(words[2 * i + 1]);
    }
  }

  /** Take the oldest: both its words. There has to be one. */
  take(): [number, number] {
    return [this.words.shift()!, this.#data.shift()!];
  }

  clear(): void {
    this.words.length = this.#data.length = 0;
  }
}
