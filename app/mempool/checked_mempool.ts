import { CulvertError } from "../../ffi/error.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../memory/layout.ts";
import { Burst, checkBurst } from "../ring/burst.ts";
import type { CacheOptions } from "./cache_options.ts";
import { Guards } from "./guards.ts";
import type { Mbufs } from "./mbuf.ts";
import { Mempool } from "./mempool.ts";
import { newFreeRing } from "./free_ring.ts";
import type { MempoolHandle } from "./mempool_handle.ts";
import { inWords, type MempoolProblem } from "./mempool_problem.ts";
import { MempoolWatch, type MempoolWatchHandle, type WatchedMbuf } from "./mempool_watch.ts";

const { INDEX_MASK } = DESCRIPTOR;
const { MORE, SHARED, POOL_SHIFT } = DESCRIPTOR_FLAG;

/**
 * The first number that a mempool outside of regions gets. A descriptor has room for 31 numbers;
 * mempools in regions have the lower ones, and 0 means none.
 */
const PRIVATE = 16;

/** Descriptors that `free()` passes on at a time, once they are checked. */
const CHUNK = 64;

/** How {@linkcode CheckedMempool} is used. */
export interface CheckedOptions extends CacheOptions {
  /**
   * The name of the user that allocates and frees here, such as "lcore 3": 15 bytes at most, by
   * default "somebody".
   */
  readonly user?: string;
  /**
   * Called with each problem. If it is left out, a call throws the first problem when it is done.
   */
  readonly onProblem?: (problem: MempoolProblem) => void;
  /** The mbufs, if they have guards around them. */
  readonly mbufs?: Mbufs;
}

/** What a Worker needs to use a checked mempool; survives `postMessage`. */
export interface CheckedMempoolHandle extends MempoolHandle {
  /** The record of each mbuf's user. */
  readonly watch: MempoolWatchHandle;
  /** The mempool's number, 1 to 31, in its descriptors. */
  readonly number: number;
}

let made = 0;

/**
 * A mempool for debugging (DPDK `RTE_LIBRTE_MEMPOOL_DEBUG`). It looks up each mbuf that is
 * allocated or freed in a {@linkcode MempoolWatch}, and checks the guards around it. It reports
 * what is wrong with the mbuf and its last user, and does not free what must not be freed.
 *
 * All users of a free ring must use it by a `CheckedMempool`, or none. Allocating an mbuf takes
 * some 70 ns, freeing it as much; 100 ns with guards. A plain {@linkcode Mempool} is not slower for
 * it.
 *
 * @example
 * ```ts
 * import { Burst, CheckedMempool } from "../api.ts";
 *
 * const pool = CheckedMempool.create(100, {
 *   user: "rx",
 *   onProblem: ({ kind, index, last }) => found.push(`${kind} of ${index}: ${last?.user}`),
 * });
 * const found: string[] = [];
 * const burst = Burst.of(1);
 * pool.allocBulk(burst, 1);
 * pool.free(burst, 1);
 * pool.free(burst, 1);
 * console.assert(found.length === 1 && /^double free of \d+: rx$/.test(found[0]));
 * console.assert(pool.available === 100);
 * ```
 */
export class CheckedMempool extends Mempool {
  /** The user of each mbuf. */
  readonly watch: MempoolWatch;
  readonly #user: number;
  readonly #userName: string;
  readonly #onProblem?: CheckedOptions["onProblem"];
  readonly #guards?: Guards;
  readonly #tag: number;
  readonly #chunk = Burst.of(CHUNK);
  #first?: MempoolProblem;

  private constructor(override readonly handle: CheckedMempoolHandle, options: CheckedOptions) {
    super(handle, options);
    this.watch = new MempoolWatch(handle.watch);
    this.#userName = options.user ?? "somebody";
    this.#user = this.watch.addUser(this.#userName);
    this.#onProblem = options.onProblem;
    const { mbufs } = options;
    if (mbufs && mbufs.room < mbufs.stride) this.#guards = new Guards(mbufs);
    this.#tag = handle.number << POOL_SHIFT >>> 0;
  }

  /**
   * Make a checked mempool of the mbufs 0 to `total - 1`, all free.
   *
   * @throws {CulvertError} if there is no such cache.
   */
  static override create(total: number, options: CheckedOptions = {}): CheckedMempool {
    return CheckedMempool.#make(total, PRIVATE + made++ % PRIVATE, options);
  }

  /**
   * As {@linkcode create}, without a cache, and with no number in the descriptors: they may be lent
   * to a guest that is not trusted.
   *
   * @param user The name of what allocates and frees here.
   * @param long The mempool of long mbufs: those are not checked.
   */
  static createUntagged(
    total: number,
    user: string,
    onProblem: CheckedOptions["onProblem"],
    long?: MempoolHandle,
  ): CheckedMempool {
    return CheckedMempool.#make(total, 0, { cacheSize: 0, user, onProblem }, long);
  }

  static #make(
    total: number,
    number: number,
    options: CheckedOptions,
    long?: MempoolHandle,
  ): CheckedMempool {
    const watch = MempoolWatch.create(total).handle;
    return new CheckedMempool({ ...newFreeRing(total), long, watch, number }, options);
  }

  /**
   * Use a checked mempool that another thread made.
   *
   * @throws {CulvertError} if there is no such cache.
   */
  static override attach(
    handle: CheckedMempoolHandle,
    options: CheckedOptions = {},
  ): CheckedMempool {
    return new CheckedMempool(handle, options);
  }

  /** As in {@linkcode Mempool}; the descriptors carry the mempool's number. */
  override allocBulk(burst: Burst, count: number, at = 0): number {
    return this.#allocated(burst, super.allocBulk(burst, count, at), at);
  }

  /** As in {@linkcode Mempool}; the descriptors carry the mempool's number. */
  override allocBurst(burst: Burst, max: number, at = 0): number {
    return this.#allocated(burst, super.allocBurst(burst, max, at), at);
  }

  /** As in {@linkcode Mempool}, but only mbufs that may be freed are freed. */
  override free(burst: Burst, count: number, at = 0): void {
    checkBurst(burst, DESCRIPTOR.WORDS, count, at);
    const [words, chunk] = [burst.words, this.#chunk.words];
    for (let from = at; from < at + count; from += CHUNK) {
      let good = 0;
      for (let i = from; i < at + count && i < from + CHUNK; i++) {
        if (this.#mayFree(words[i << 1])) chunk[good++ << 1] = words[i << 1];
      }
      super.free(this.#chunk, good);
    }
    this.#throwFirst();
  }

  /**
   * Check the guards of all mbufs, and report what was written there.
   *
   * @returns how many mbufs are damaged.
   *
   * @example
   * ```ts
   * import { addMempool, CheckedMempool, MappedMemory, Region } from "../api.ts";
   *
   * const region = Region.build(MappedMemory.ofProcess(1 << 20), "r0");
   * const found: string[] = [];
   * const { pool, mbufs } = addMempool(region, "mbufs", {
   *   count: 100,
   *   debug: true,
   *   onProblem: ({ kind, index }) => found.push(`${kind} of ${index}`),
   * });
   * mbufs.u8[mbufs.frameByte(7, mbufs.room)] = 0; // one byte behind mbuf 7
   * console.assert(pool instanceof CheckedMempool && pool.checkGuards() === 1);
   * console.assert(found.join() === "overrun of 7");
   * ```
   */
  checkGuards(): number {
    let damaged = 0;
    for (let index = 0; index < this.handle.total; index++) {
      if (this.#isDamaged(index)) damaged++;
    }
    this.#throwFirst();
    return damaged;
  }

  #allocated(burst: Burst, count: number, at: number): number {
    const words = burst.words;
    for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {
      this.#allocate(words[i]);
      words[i] |= this.#tag;
    }
    this.#throwFirst();
    return count;
  }

  #allocate(index: number): void {
    const { total } = this.handle;
    if (index >= total) {
      const why = `it is not one of ${total}: it was freed unchecked`;
      this.#report("given twice", index, undefined, `Cannot allocate mbuf ${index} as ${why}`);
      return;
    }
    this.#isDamaged(index);
    if (this.watch.allocate(index, this.#user)) return;
    const last = this.watch.look(index);
    this.#report(
      "given twice",
      index,
      last,
      `Cannot allocate mbuf ${index} as ${inWords(last)}: it was freed unchecked, ` +
        "or somebody wrote into the free ring",
    );
    this.watch.seize(index, this.#user);
  }

  #mayFree(word0: number): boolean {
    const index = word0 & INDEX_MASK;
    const tag = word0 >>> POOL_SHIFT;
    if (index >= this.handle.total && tag === 0 && this.long) return true; // long: not watched
    if (index >= this.handle.total || tag !== 0 && tag !== this.handle.number) {
      return this.#foreign(index, tag);
    }
    if ((word0 & (MORE | SHARED)) !== 0) {
      const flag = (word0 & MORE) !== 0 ? "its frame goes on in other mbufs" : "it may be shared";
      return this.#report(
        "part freed",
        index,
        this.watch.look(index),
        `Cannot free mbuf ${index} as ${flag}: use Frames.free()`,
      );
    }
    this.#isDamaged(index);
    if (this.watch.free(index, this.#user)) return true;
    const last = this.watch.look(index);
    return this.#report(
      "double free",
      index,
      last,
      `Cannot free mbuf ${index} as ${inWords(last)}: one of the two may not free it`,
    );
  }

  #foreign(index: number, tag: number): false {
    const { total, number } = this.handle;
    const why = index < total
      ? `it is of mempool number ${tag}, this is ${number}`
      : `it is not one of ${total}`;
    const last = index < total ? this.watch.look(index) : undefined;
    const message = `Cannot free mbuf ${index} as ${why}: free it to the mempool it is of`;
    return this.#report("foreign free", index, last, message);
  }

  #isDamaged(index: number): boolean {
    const damage = this.#guards?.check(index);
    if (damage === undefined) return false;
    const { kind, byte, bytes } = damage;
    const last = this.watch.look(index);
    this.#report(
      kind,
      index,
      last,
      `Cannot vouch for mbuf ${index} as ${bytes} bytes were written at its byte ${byte}, where no ` +
        `frame may be, and ${inWords(last)}: see what that user writes`,
    );
    return true;
  }

  #report(
    kind: MempoolProblem["kind"],
    index: number,
    last: WatchedMbuf | undefined,
    text: string,
  ): false {
    const user = this.#userName;
    const problem = { kind, index, user, last, message: `${text} (found by ${user})` };
    if (this.#onProblem) this.#onProblem(problem);
    else this.#first ??= problem;
    return false;
  }

  #throwFirst(): void {
    const first = this.#first;
    this.#first = undefined;
    if (first) throw new CulvertError(first.message);
  }
}
