import { LINE } from "../memory/layout.ts";

/**
 * How many mbufs each guest of a region holds, in host-private memory. A guest that keeps all that
 * it is lent would leave none for the others and for their ports; this is what its cap is held to.
 *
 * Frames are lent by one lcore and may come back to another, so that no lcore knows alone. Each
 * writer, the lcores and the main thread, has a balance of its own for each guest: lent less taken
 * back. It may run through 2^31; the sum of all, modulo 2^32, does not.
 */
export class Outstanding {
  readonly #balances: Int32Array<SharedArrayBuffer>;
  readonly #writers: number;

  /** Use what {@linkcode create} made, in any thread. */
  constructor(readonly buffer: SharedArrayBuffer, writers: number) {
    this.#balances = new Int32Array(buffer);
    this.#writers = writers;
  }

  /** Nobody holds anything yet. */
  static create(guests: number, writers: number): Outstanding {
    return new Outstanding(new SharedArrayBuffer(guests * writers * LINE * 4), writers);
  }

  /** What `guest` holds, for `writer` to count: nobody else may count by that number. */
  of(guest: number, writer: number): OutstandingCount {
    return new OutstandingCount(
      this.#balances,
      guest * this.#writers * LINE,
      this.#writers,
      writer,
    );
  }
}

/** What one guest holds, as one writer sees it and counts it. */
export class OutstandingCount {
  readonly #balances: Int32Array<SharedArrayBuffer>;
  readonly #first: number;
  readonly #end: number;
  readonly #own: number;

  /** See {@linkcode Outstanding.of}. */
  constructor(
    balances: Int32Array<SharedArrayBuffer>,
    first: number,
    writers: number,
    writer: number,
  ) {
    this.#balances = balances;
    this.#first = first;
    this.#end = first + writers * LINE;
    this.#own = first + writer * LINE;
  }

  /** Mbufs that the guest holds: a moment's answer while other writers are at work. */
  get mbufs(): number {
    const balances = this.#balances;
    let sum = 0;
    for (let at = this.#first; at < this.#end; at += LINE) sum = sum + balances[at] | 0;
    return sum;
  }

  /** Count `n` mbufs more, or less. */
  add(n: number): void {
    this.#balances[this.#own] = this.#balances[this.#own] + n | 0;
  }
}
