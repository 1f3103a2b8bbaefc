import type { Table } from "./mutants.ts";

const CHECKED = ["mempool/mempool_watch_test.ts", "mempool/checked_mempool_test.ts"];
const WATCH_RACE = ["mempool/watch_race_test.ts"];

/** Mempools, their caches, and the debug mempool. */
export const MEMPOOLS: Table = {
  what: "mempools",
  tests: ["mempool/mempool_test.ts", "toolkit/mempool_audit_test.ts"],
  mutations: [
    {
      what: "a flush leaves in the cache what it gives back",
      file: "mempool/mempool.ts",
      from: "this.#stack.copyWithin(0, surplus, cached);",
      to: "",
    },
    {
      what: "a flush empties the cache",
      file: "mempool/mempool.ts",
      from: "const surplus = cached - this.#cacheSize;\n" +
        "    this.#giveBack(surplus);\n" +
        "    this.#stack.copyWithin(0, surplus, cached);\n    return this.#cacheSize;",
      to: "this.#giveBack(cached);\n    return 0;",
    },
    {
      what: "a cache keeps one mbuf more than its threshold",
      file: "mempool/mempool.ts",
      from: "if (cached + count > this.#flushThreshold) return",
      to: "if (cached + count > this.#flushThreshold + 1) return",
    },
    {
      what: "a cache is never flushed after freeing many",
      file: "mempool/mempool.ts",
      from: "this.#cached = cached > this.#flushThreshold ? this.#flush(cached) : cached;",
      to: "this.#cached = cached;",
    },
    {
      what: "a refill takes all or nothing",
      file: "mempool/mempool.ts",
      from: "if (n === 0) n = this.#ring.dequeueBulk(this.#spill, missing);",
      to: "",
    },
    {
      what: "a refill overwrites what is in the cache",
      file: "mempool/mempool.ts",
      from: "indexes[(cached + i) << 1] = words[i];",
      to: "indexes[i << 1] = words[i];",
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
      from: "descriptors[i] = stack[--cached];",
      to: "descriptors[i] = stack[Math.max(0, --cached - 1)];",
    },
    {
      what: "the cache's descriptors are not empty",
      file: "mempool/mempool.ts",
      from: ".fill(EMPTY_DATA)",
      to: "",
    },
    {
      what: "free() keeps a descriptor's flags",
      file: "mempool/mempool.ts",
      from: "i += 2) {\n      const index = words[i] & DESCRIPTOR.INDEX_MASK;",
      to: "i += 2) {\n      const index = words[i];",
    },
    {
      what: "free() leaves out the place in the burst",
      file: "mempool/mempool.ts",
      from: "for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) {\n" +
        "      const index = words[i] & DESCRIPTOR.INDEX_MASK;\n      if (index < longFrom)",
      to: "for (let i = 0, end = count << 1; i < end; i += 2) {\n" +
        "      const index = words[i] & DESCRIPTOR.INDEX_MASK;\n      if (index < longFrom)",
    },
    {
      what: "close() leaves the long mbufs in the cache",
      file: "mempool/mempool.ts",
      from: "this.#long?.close();",
      to: "",
      tests: ["mempool/long_mbuf_test.ts"],
    },
    {
      what: "close() leaves the cache full",
      file: "mempool/mempool.ts",
      from: "this.#giveBack(this.#cached);\n    this.#cached = 0;",
      to: "this.#giveBack(this.#cached);",
    },
    {
      what: "the caches may hold all mbufs",
      file: "mempool/cache_options.ts",
      from: "const size = Math.min(cacheSize, total >>> 2);",
      to: "const size = cacheSize;",
    },
    {
      what: "the watch takes any state for the right one",
      file: "mempool/mempool_watch.ts",
      from: "return shim.shim_compare_and_swap(this.#map, record + WATCH.STATE, from, to) === 1;",
      to: "this.#u32[record + WATCH.STATE] = to;\n    return from !== to;",
      tests: CHECKED,
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
      tests: CHECKED,
    },
    {
      what: "guards are not looked at behind an mbuf",
      file: "mempool/guards.ts",
      from: 'this.#checkHalf(index, "overrun", room) ??',
      to: "",
      tests: CHECKED,
    },
    {
      what: "guards are not looked at in front of an mbuf",
      file: "mempool/guards.ts",
      from: '??\n      this.#checkHalf(index, "underrun", -GUARD_BYTES / 2)',
      to: "",
      tests: CHECKED,
    },
    {
      what: "guards are looked at but for the last word",
      file: "mempool/guards.ts",
      from: "end = word + HALF; word < end",
      to: "end = word + HALF - 1; word < end",
      tests: CHECKED,
    },
    {
      what: "guards are not restored",
      file: "mempool/guards.ts",
      from: "u32.fill(COOKIE, start >>> 2, (start >>> 2) + HALF);",
      to: "",
      tests: CHECKED,
    },
    {
      what: "CheckedMempool frees another mempool's mbuf",
      file: "mempool/checked_mempool.ts",
      from: "tag !== 0 && tag !== this.handle.number",
      to: "false",
      tests: CHECKED,
    },
    {
      what: "CheckedMempool frees what is free",
      file: "mempool/checked_mempool.ts",
      from: "if (this.watch.free(index, this.#user)) return true;",
      to: "if (this.watch.free(index, this.#user) || index >= 0) return true;",
      tests: CHECKED,
    },
    {
      what: "CheckedMempool frees part of a frame",
      file: "mempool/checked_mempool.ts",
      from: "if ((word0 & (MORE | SHARED)) !== 0) {",
      to: "if (index < 0) {",
      tests: CHECKED,
    },
  ],
};
