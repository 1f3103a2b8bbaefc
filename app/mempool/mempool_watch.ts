import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { WATCH } from "../memory/layout.ts";

/** What a Worker needs to use a mempool's watch; survives `postMessage`. */
export interface MempoolWatchHandle {
  /** The memory that the watch lies in: the host's own, or a region's. */
  readonly memory: MappedMemoryHandle;
  /** Where it begins in it, in bytes. */
  readonly offset: number;
  /** Mbufs watched. */
  readonly count: number;
}

/** What the watch knows of an mbuf. */
export interface WatchedMbuf {
  /** `spoiled`: the record has been overwritten. */
  readonly state: "free" | "allocated" | "spoiled";
  /** The user that allocated or freed it last; "nobody" if it never was. */
  readonly user: string;
  /** How often it was allocated, modulo 2^32. */
  readonly times: number;
  /** Seconds since it was allocated or freed last, modulo 49 days. */
  readonly secondsAgo: number;
}

/** The states of a record; any other value was written by somebody else. */
const COOKIE = { FREE: 0xf4eef4ee, ALLOCATED: 0xa110ca7e } as const;

/** The name of users that come when all names are taken. */
const SOMEBODY = "somebody";

/**
 * A record of who allocated or freed each mbuf of a mempool last, when, and how often (DPDK: the
 * cookies of `RTE_LIBRTE_MEMPOOL_DEBUG`, which do not say who). For {@linkcode CheckedMempool}: all
 * users of a mempool share one watch.
 *
 * @example
 * ```ts
 * import { MempoolWatch } from "../api.ts";
 *
 * const watch = MempoolWatch.create(100);
 * const rx = watch.addUser("rx"), tx = watch.addUser("tx");
 * console.assert(watch.allocate(7, rx) && watch.free(7, tx) && !watch.free(7, rx));
 * const { state, user, times } = watch.look(7);
 * console.assert(state === "free" && user === "tx" && times === 1);
 * ```
 */
export class MempoolWatch {
  readonly #u32: Uint32Array<SharedArrayBuffer>;
  readonly #map: number;
  readonly #start: number;

  /** Use the watch that `handle` describes. */
  constructor(readonly handle: MempoolWatchHandle) {
    const memory = new MappedMemory(handle.memory);
    this.#u32 = memory.u32;
    this.#map = memory.map;
    this.#start = handle.offset >>> 2;
  }

  /** Bytes of memory for a watch over `count` mbufs. */
  static bytes(count: number): number {
    return (WATCH.MBUFS + count * WATCH.WORDS) * 4;
  }

  /** A watch over `count` mbufs, all free, in memory that only this process sees. */
  static create(count: number): MempoolWatch {
    return MempoolWatch.fill(MappedMemory.ofProcess(MempoolWatch.bytes(count)), 0, count);
  }

  /** A watch over `count` mbufs, all free, in zeroed memory from byte `offset` on. */
  static fill(memory: MappedMemory, offset: number, count: number): MempoolWatch {
    const watch = new MempoolWatch({ memory: memory.handle, offset, count });
    for (let index = 0; index < count; index++) {
      watch.#u32[watch.#record(index) + WATCH.STATE] = COOKIE.FREE;
    }
    return watch;
  }

  /**
   * Give a user a number, to be passed to the other calls.
   *
   * @param name The first 15 bytes of it are kept. The 65th user and later ones are "somebody".
   */
  addUser(name: string): number {
    const user = shim.shim_fetch_add(this.#map, this.#start + WATCH.USERS, 1) + 1;
    if (user > WATCH.NAMES_MAX) return user;
    const bytes = new Uint8Array(WATCH.NAME_WORDS * 4);
    new TextEncoder().encodeInto(name, bytes.subarray(0, bytes.length - 1));
    this.#u32.set(new Uint32Array(bytes.buffer), this.#nameWord(user));
    return user;
  }

  /**
   * Record that `user` allocates mbuf `index`; false, with nothing changed, if it was not free.
   */
  allocate(index: number, user: number): boolean {
    const record = this.#record(index);
    if (!this.#become(record, COOKIE.FREE, COOKIE.ALLOCATED)) return false;
    this.#u32[record + WATCH.TIMES]++;
    this.#sign(record, user);
    return true;
  }

  /** Record that `user` has allocated mbuf `index`, free or not. */
  seize(index: number, user: number): void {
    const record = this.#record(index);
    this.#u32[record + WATCH.STATE] = COOKIE.ALLOCATED;
    this.#u32[record + WATCH.TIMES]++;
    this.#sign(record, user);
  }

  /**
   * Record that `user` frees mbuf `index`; false, with nothing changed, if it was not allocated.
   */
  free(index: number, user: number): boolean {
    const record = this.#record(index);
    if (!this.#become(record, COOKIE.ALLOCATED, COOKIE.FREE)) return false;
    this.#sign(record, user);
    return true;
  }

  /** What is known of mbuf `index`. */
  look(index: number): WatchedMbuf {
    const record = this.#record(index);
    const state = shim.shim_load_acquire(this.#map, record + WATCH.STATE);
    const ago = (milliseconds() - this.#u32[record + WATCH.WHEN]) >>> 0;
    return {
      state: state === COOKIE.FREE ? "free" : state === COOKIE.ALLOCATED ? "allocated" : "spoiled",
      user: this.#nameOf(this.#u32[record + WATCH.USER]),
      times: this.#u32[record + WATCH.TIMES],
      secondsAgo: ago / 1000,
    };
  }

  /** By compare-and-swap: if two users free an mbuf at the same time, it fails for one of them. */
  #become(record: number, from: number, to: number): boolean {
    return shim.shim_compare_and_swap(this.#map, record + WATCH.STATE, from, to) === 1;
  }

  #sign(record: number, user: number): void {
    this.#u32[record + WATCH.USER] = user;
    this.#u32[record + WATCH.WHEN] = milliseconds();
  }

  #record(index: number): number {
    return this.#start + WATCH.MBUFS + index * WATCH.WORDS;
  }

  #nameWord(user: number): number {
    return this.#start + WATCH.NAMES + (user - 1) * WATCH.NAME_WORDS;
  }

  #nameOf(user: number): string {
    if (user === 0) return "nobody";
    if (user > WATCH.NAMES_MAX) return SOMEBODY;
    const words = this.#u32.slice(this.#nameWord(user), this.#nameWord(user + 1));
    return new TextDecoder().decode(words).replace(/\0[^]*/, "") || SOMEBODY;
  }
}

/** A time of CLOCK_MONOTONIC, modulo 2^32. */
function milliseconds(): number {
  return Math.floor(shim.shim_clock() / 1e6) >>> 0;
}
