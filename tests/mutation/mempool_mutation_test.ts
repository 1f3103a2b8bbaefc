import { type Mutation, testMutations } from "./mutants.ts";

// Shows that the tests of mempools can fail.

const MEMPOOL = ["mempool/mempool_test.ts", "mempool/mempool_audit_test.ts"];
const CHECKED = ["mempool/mempool_watch_test.ts", "mempool/checked_mempool_test.ts"];
const WATCH_RACE = ["mempool/watch_race_test.ts"];

const CACHE: readonly Mutation[] = [
  {
    what: "a flush leaves in the cache what it gives back",
    file: "mempool/mempool.ts",
    from: "this.#cache.copyWithin(0, surplus, cached);",
    to: "",
  },
  {
    what: "a flush empties the cache",
    file: "mempool/mempool.ts",
    from: "const surplus = cached - this.#cacheSize;\n" +
      "    this.#ring.enqueueBulk(this.#cache, surplus);\n" +
      "    this.#cache.copyWithin(0, surplus, cached);\n    return this.#cacheSize;",
    to: "this.#ring.enqueueBulk(this.#cache, cached);\n    return 0;",
  },
  {
    what: "a cache is flushed at its threshold, not above",
    file: "mempool/mempool.ts",
    from: "cache[cached++] = burst[i] & DESCRIPTOR.INDEX_MASK;\n    }\n" +
      "    this.#cached = cached > this.#flushThreshold",
    to: "cache[cached++] = burst[i] & DESCRIPTOR.INDEX_MASK;\n    }\n" +
      "    this.#cached = cached >= this.#flushThreshold",
  },
  {
    what: "a cache is never flushed after freeing many",
    file: "mempool/mempool.ts",
    from: "this.#cache[this.#cached++] = burst[i] & DESCRIPTOR.INDEX_MASK;\n    }\n" +
      "    if (this.#cached > this.#flushThreshold)",
    to: "this.#cache[this.#cached++] = burst[i] & DESCRIPTOR.INDEX_MASK;\n    }\n    if (false)",
  },
  {
    what: "a refill takes all or nothing",
    file: "mempool/mempool.ts",
    from: "if (n === 0) n = this.#ring.dequeueBulk(this.#spill, missing);",
    to: "",
  },
  {
    what: "a refill forgets what is in the cache",
    file: "mempool/mempool.ts",
    from: "this.#cache[this.#cached++] = this.#spill[i];",
    to: "this.#cache[i] = this.#spill[i], this.#cached = n;",
  },
  {
    what: "a refill that fails takes some",
    file: "mempool/mempool.ts",
    from: "let n = this.#ring.dequeueBulk(this.#spill, wanted);",
    to: "let n = this.#ring.dequeueBurst(this.#spill, wanted);",
  },
  {
    what: "allocBurst() gives nothing when there are fewer",
    file: "mempool/mempool.ts",
    from: "this.#push(this.#ring.dequeueBurst(this.#spill, room));",
    to: "",
  },
  {
    what: "a burst has one mbuf twice",
    file: "mempool/mempool.ts",
    from: "burst[i] = cache[--cached];",
    to: "burst[i] = cache[Math.max(0, --cached - 1)];",
  },
  {
    what: "indexes that have no pair are left out when they are freed",
    file: "mempool/mempool.ts",
    from: "if (single < count) this.#cache[cached - 1] = indexes[single];",
    to: "",
  },
  {
    what: "indexes that have no pair are left out when they are allocated",
    file: "mempool/mempool.ts",
    from: "if (single < count) indexes[single] = this.#cache[old - 1];",
    to: "",
  },
  {
    what: "close() leaves the cache full",
    file: "mempool/mempool.ts",
    from: "this.#ring.enqueueBulk(this.#cache, this.#cached);\n    this.#cached = 0;",
    to: "this.#ring.enqueueBulk(this.#cache, this.#cached);",
  },
  {
    what: "the caches may hold all mbufs",
    file: "mempool/mempool.ts",
    from: "const size = Math.min(cacheSize, total >>> 2);",
    to: "const size = cacheSize;",
  },
];

const DEBUG: readonly Mutation[] = [
  {
    what: "the watch takes any state for the right one",
    file: "mempool/mempool_watch.ts",
    from: "return shim.shim_compare_and_swap(this.#map, record + WATCH.STATE, from, to) === 1;",
    to: "this.#u32[record + WATCH.STATE] = to;\n    return from !== to;",
  },
  {
    what: "the watch compares and sets in two steps",
    file: "mempool/mempool_watch.ts",
    from: "return shim.shim_compare_and_swap(this.#map, record + WATCH.STATE, from, to) === 1;",
    to: "if (this.#u32[record + WATCH.STATE] !== from) return false;\n    shim.shim_yield();\n" +
      "    this.#u32[record + WATCH.STATE] = to;\n    return true;",
    tests: WATCH_RACE,
  },
  {
    what: "who frees does not sign",
    file: "mempool/mempool_watch.ts",
    from: "if (!this.#become(record, COOKIE.ALLOCATED, COOKIE.FREE)) return false;\n" +
      "    this.#sign(record, user);",
    to: "if (!this.#become(record, COOKIE.ALLOCATED, COOKIE.FREE)) return false;",
  },
  {
    what: "guards are not looked at behind an mbuf",
    file: "mempool/guards.ts",
    from: 'this.#checkHalf(index, "overrun", room) ??',
    to: "",
  },
  {
    what: "guards are not looked at in front of an mbuf",
    file: "mempool/guards.ts",
    from: '??\n      this.#checkHalf(index, "underrun", -GUARD_BYTES / 2)',
    to: "",
  },
  {
    what: "guards are looked at but for the last word",
    file: "mempool/guards.ts",
    from: "end = word + HALF; word < end",
    to: "end = word + HALF - 1; word < end",
  },
  {
    what: "guards are not restored",
    file: "mempool/guards.ts",
    from: "u32.fill(COOKIE, start >>> 2, (start >>> 2) + HALF);",
    to: "",
  },
  {
    what: "CheckedMempool frees another mempool's mbuf",
    file: "mempool/checked_mempool.ts",
    from: "tag !== 0 && tag !== this.handle.number",
    to: "false",
  },
  {
    what: "CheckedMempool frees what is free",
    file: "mempool/checked_mempool.ts",
    from: "if (this.watch.free(index, this.#user)) return true;",
    to: "if (this.watch.free(index, this.#user) || index >= 0) return true;",
  },
  {
    what: "CheckedMempool frees part of a frame",
    file: "mempool/checked_mempool.ts",
    from: "if ((word0 & (MORE | SHARED)) !== 0) {",
    to: "if (index < 0) {",
  },
].map((mutation) => ({ tests: CHECKED, ...mutation }));

testMutations("mempools", ["mempool"], MEMPOOL, [...CACHE, ...DEBUG]);
