/**
 * What the host and the guests of memzones_test.ts have agreed on: names, numbers, and the work
 * that all of them do.
 *
 * @module
 */
import { dataWord, type Mbufs, MbufView, type Mempool, type SpscRing } from "../../app/api.ts";
import { shim } from "../../ffi/shim.ts";
import { Random } from "../kit/random.ts";
import { Burst } from "../../app/ring/burst.ts";

/** The guests; each has a region of its own beside the common one. */
export const GUESTS = ["alpha", "beta"] as const;

/** Who takes part where all do: the host is the last. */
export const PARTIES = 3;

/** Names of memzones. */
export const ZONE = {
  LABEL: "label",
  CONFIG: "config",
  LATE: "late",
  ATOMICS: "atomics",
  CONTROL: "control",
  FRAMES: "frames",
  POOL: "pool",
  REPORTS: "reports",
} as const;

/** Words of the control memzone. */
export const CONTROL = {
  STOP: 0,
  /** What each guest has allocated: a word each. */
  ALLOCATED: 1,
} as const;

/** Mbufs that each party has to allocate to show anything. */
export const ENOUGH = 1000;

/** The ring by which `from` sends the other guest frames. */
export function ringFrom(from: string): string {
  return `from ${from}`;
}

/** Numbers that fit TCG, which is some 15 times slower than the machine. */
export const FRAMES = 20_000;

/** Mbufs of the mempool for all: fewer than all would hold, so that it is often empty. */
export const POOL_MBUFS = 100;

const HOLD_MAX = 50;
const BURST = 16;
const STAMP_BYTES = 64;

/** What a guest says, as a line of JSON. */
export type GuestReport =
  | { readonly what: "attached"; readonly regions: Record<string, string[]>; readonly text: string }
  | { readonly what: "late"; readonly text: string }
  | { readonly what: "atomics"; readonly additions: number }
  | { readonly what: "exchanged"; readonly sent: number; readonly faults: string[] }
  | ({ readonly what: "hammered" } & HammerReport)
  | { readonly what: "failed"; readonly message: string };

/** Begins each line that is a {@linkcode GuestReport}. */
export const REPORT = "REPORT ";

/** What a {@linkcode Hammer} saw. */
export interface HammerReport {
  readonly allocated: number;
  /** Mbufs that came while somebody held them, or went though another did. */
  readonly wrong: number;
  /** Bulks of which a part came. */
  readonly partial: number;
}

/**
 * Allocates and frees at random, and stamps the mbufs that it holds: if two get the same mbuf, one
 * finds the other's stamp.
 */
export class Hammer {
  readonly #burst = Burst.of(HOLD_MAX);
  readonly #random: Random;
  #held = 0;
  #allocated = 0;
  #wrong = 0;
  #partial = 0;

  /** @param owner Its number, 1 or more. */
  constructor(
    private readonly pool: Mempool,
    private readonly mbufs: Mbufs,
    private readonly owner: number,
  ) {
    this.#random = new Random(owner);
  }

  /** Allocate or free a few. */
  step(): void {
    const n = 1 + this.#random.below(BURST);
    if (this.#held + n > HOLD_MAX || this.#random.below(2) === 0) {
      return this.#free(Math.min(n, this.#held));
    }
    const isBulk = this.#random.below(2) === 0;
    const got = isBulk
      ? this.pool.allocBulk(this.#burst, n, this.#held)
      : this.pool.allocBurst(this.#burst, n, this.#held);
    if (isBulk && got !== 0 && got !== n) this.#partial++;
    for (let i = this.#held; i < this.#held + got; i++) this.#stamp(i, 0, this.owner);
    this.#held += got;
    this.#allocated += got;
  }

  /** Mbufs allocated so far. */
  get allocated(): number {
    return this.#allocated;
  }

  /** Give all back. */
  end(): HammerReport {
    this.#free(this.#held);
    this.pool.close();
    return { allocated: this.#allocated, wrong: this.#wrong, partial: this.#partial };
  }

  #free(n: number): void {
    for (let i = this.#held - n; i < this.#held; i++) this.#stamp(i, this.owner, 0);
    this.pool.free(this.#burst, n, this.#held - n);
    this.#held -= n;
  }

  #stamp(i: number, expected: number, desired: number): void {
    const word = this.mbufs.frameByte(this.#burst.words[2 * i], 0) >>> 2;
    if (shim.shim_compare_and_swap(this.mbufs.map, word, expected, desired) !== 1) this.#wrong++;
  }
}

/** One end of an exchange of numbered frames, whose bytes lie where both ends see them. */
export class FrameExchange {
  /** Frames sent. */
  sent = 0;
  /** Frames received. */
  received = 0;
  /** What was wrong with them: the first few. */
  readonly faults: string[] = [];
  readonly #burst = Burst.of(BURST);
  readonly #view: MbufView;

  constructor(private readonly pool: Mempool, private readonly mbufs: Mbufs) {
    this.#view = new MbufView(mbufs);
  }

  /** Send some of `total` numbered frames: allocate, write, hand over. */
  send(ring: SpscRing, total: number): number {
    const n = this.pool.allocBurst(this.#burst, Math.min(BURST, total - this.sent));
    for (let i = 0; i < n; i++) {
      this.#burst.words[2 * i + 1] = dataWord(this.#burst.words[2 * i + 1] & 0xffff, STAMP_BYTES);
      const word = this.#view.moveTo(this.#burst, i).byte >>> 2;
      this.mbufs.u32.fill(this.sent + i, word, word + STAMP_BYTES / 4);
    }
    const taken = ring.enqueueBurst(this.#burst, n);
    this.pool.free(this.#burst, n - taken, taken);
    this.sent += taken;
    return taken;
  }

  /** Receive frames, see that each is the next and whole, and free them. */
  receive(ring: SpscRing): number {
    const n = ring.dequeueBurst(this.#burst, BURST);
    for (let i = 0; i < n; i++) {
      const { length, byte } = this.#view.moveTo(this.#burst, i);
      const words = this.mbufs.u32.subarray(byte >>> 2, (byte + STAMP_BYTES) >>> 2);
      const wanted = this.received + i;
      const isRight = length === STAMP_BYTES && words.every((word) => word === wanted);
      if (isRight || this.faults.length > 5) continue;
      this.faults.push(`frame ${wanted} has ${length} bytes: ${[...words].join(" ")}`);
    }
    this.pool.free(this.#burst, n);
    this.received += n;
    return n;
  }
}
