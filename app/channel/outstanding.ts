import { LINE } from "../memory/layout.ts";

/** An {@linkcode Outstanding} on its way to another thread; survives `postMessage`. */
export interface OutstandingHandle {
  /** A line for each guest and writer. */
  readonly balances: SharedArrayBuffer;
  /** How many threads count: the lcores, by their numbers, and the main thread. */
  readonly writers: number;
  /** Mbufs that one guest may hold; `Infinity` for no limit. */
  readonly holdMax: number;
}

/**
 * How many mbufs each guest of a region holds, in host-private memory. A guest that keeps all that
 * it is lent would leave none for the other guests and for the ports: so it may hold no more than
 * `holdMax`.
 *
 * Frames are lent by one lcore and may come back to another, so that no lcore knows alone. Each
 * writer has a balance of its own for each guest: lent less taken back. A balance may run through
 * 2^31; the sum of all, modulo 2^32, does not.
 */
export class Outstanding {
  readonly #balances: Int32Array<SharedArrayBuffer>;

  /** Use what {@linkcode create} made, in any thread. */
  constructor(readonly handle: OutstandingHandle) {
    this.#balances = new Int32Array(handle.balances);
  }

  /** Nobody holds anything yet. */
  static create(guests: number, writers: number, holdMax = Infinity): Outstanding {
    const balances = new SharedArrayBuffer(guests * writers * LINE * 4);
    return new Outstanding({ balances, writers, holdMax });
  }

  /** Mbufs that `guest` holds now. */
  mbufsOf(guest: number): number {
    return this.of(guest, 0).mbufs;
  }

  /** What `guest` holds, for `writer` to count: no other thread may count by that number. */
  of(guest: number, writer: number): OutstandingCount {
    return new OutstandingCount(this.#balances, this.handle, guest, writer);
  }
}

/** What one guest holds, as one writer sees and counts it. */
export class OutstandingCount {
  readonly #balances: Int32Array<SharedArrayBuffer>;
  readonly #first: number;
  readonly #end: number;
  readonly #own: number;
  /** Mbufs that the guest may hold; -1: no limit. */
  readonly #limit: number;

  /** See {@linkcode Outstanding.of}. */
  constructor(
    balances: Int32Array<SharedArrayBuffer>,
    { writers, holdMax }: OutstandingHandle,
    guest: number,
    writer: number,
  ) {
    this.#balances = balances;
    this.#first = guest * writers * LINE;
    this.#end = this.#first + writers * LINE;
    this.#own = this.#first + writer * LINE;
    this.#limit = holdMax === Infinity ? -1 : holdMax;
  }

  /**
   * Mbufs that the guest holds: out of date at once while other writers are at work. One of them
   * may be seen to take back what another one is not yet seen to have lent: that is 0, not less.
   */
  get mbufs(): number {
    const balances = this.#balances;
    let sum = 0;
    for (let at = this.#first; at < this.#end; at += LINE) sum = sum + balances[at] | 0;
    return sum > 0 ? sum : 0;
  }

  /** How many of `n` more mbufs the guest may hold. */
  mayHold(n: number): number {
    if (this.#limit < 0) return n;
    const room = this.#limit - this.mbufs;
    return room >= n ? n : room > 0 ? room : 0;
  }

  /** Count `n` mbufs more, or less. */
  add(n: number): void {
    this.#balances[this.#own] = this.#balances[this.#own] + n | 0;
  }
}
