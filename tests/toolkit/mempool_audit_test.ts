import { deepEqual, equal, match } from "node:assert/strict";
import { MPMC } from "../../app/memory/layout.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { auditMempool, dumpMempool } from "../../app/toolkit/mempool_audit.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Burst } from "../../app/ring/burst.ts";

/** A mempool of one test, and the words of its free ring. */
function freshPool(total: number, cacheSize = 0) {
  const pool = Mempool.create(total, cacheSize);
  const memory = new MappedMemory(pool.handle.memory);
  return { pool, u32: memory.u32, [Symbol.dispose]: () => memory.close() };
}

Deno.test("auditMempool() finds nothing wrong with a mempool at rest, cache or no", () => {
  for (const cacheSize of [0, 25]) {
    using test = freshPool(100, cacheSize);
    deepEqual(auditMempool(test.pool), []);
    const burst = Burst.of(60);
    for (let round = 0; round < 5; round++) {
      test.pool.allocBulk(burst, 60);
      const held = new Set(burst.words.filter((_, word) => word % 2 === 0));
      deepEqual(auditMempool(test.pool, (index) => held.has(index)), []);
      equal(auditMempool(test.pool).length, 60);
      test.pool.free(burst, 60);
      deepEqual(auditMempool(test.pool), []);
    }
  }
});

const SPOILED: [what: string, spoil: (u32: Uint32Array) => void, lines: string[]][] = [
  ["an mbuf twice in the free ring", (u32) => u32[MPMC.SLOTS + 3] = 2, [
    "mbuf 2 is free 2 times",
    "mbuf 3 is neither free nor held",
  ]],
  ["what is no mbuf in the free ring", (u32) => u32[MPMC.SLOTS + 3] = 5, [
    "mbuf 5 is free, but there are 5",
    "mbuf 3 is neither free nor held",
  ]],
  ["a free that did not end", (u32) => u32[MPMC.PRODUCER_HEAD]++, [
    "somebody stopped half-way through a free",
  ]],
  ["an allocation that did not end", (u32) => u32[MPMC.CONSUMER_HEAD]++, [
    "somebody stopped half-way through an allocation",
  ]],
];

for (const [what, spoil, lines] of SPOILED) {
  Deno.test(`auditMempool() tells of ${what}`, () => {
    using test = freshPool(5);
    spoil(test.u32);
    deepEqual(auditMempool(test.pool), lines);
  });
}

Deno.test("auditMempool() tells of positions that are too far apart, and ends", () => {
  using test = freshPool(5);
  test.u32[MPMC.PRODUCER_TAIL] = 0xfffffff0;
  test.u32[MPMC.PRODUCER_HEAD] = 0xfffffff0;
  equal(auditMempool(test.pool)[0], "the free ring has 4294967280 elements in 8 slots");
});

Deno.test("auditMempool() tells of what is free and held, and lists no more than 100 things", () => {
  using test = freshPool(150);
  const lines = auditMempool(test.pool, () => true);
  deepEqual([lines[0], lines.at(-1), lines.length], [
    "mbuf 0 is free, and held",
    "and 50 things more",
    101,
  ]);
});

Deno.test("Mempool.walkFree() and walk() visit what is free, over the ring's wrap and the cache", () => {
  using test = freshPool(10, 2);
  const burst = Burst.of(8);
  for (let round = 0; round < 7; round++) {
    test.pool.allocBulk(burst, 8);
    test.pool.free(burst, 8);
  }
  test.pool.allocBulk(burst, 3);
  const held = new Set([burst.words[0], burst.words[2], burst.words[4]]);
  const free: number[] = [];
  test.pool.walkFree((index) => free.push(index));
  equal(free.length, 7);
  equal(new Set([...free, ...held]).size, 10);
  const seen: boolean[] = [];
  test.pool.walk((index, isFree) => seen[index] = isFree);
  deepEqual(seen, Array.from({ length: 10 }, (_, index) => !held.has(index)));
});

Deno.test("dumpMempool() tells of counts, free ring, cache and mbufs", () => {
  using test = freshPool(100, 16);
  using memory = freshMemory(1 << 16);
  const mbufs = new Mbufs(memory, { offset: 0, stride: 448, count: 100, guard: 64 }, false);
  test.pool.allocBulk(Burst.of(10), 10);
  match(
    dumpMempool(test.pool, mbufs),
    new RegExp(
      "^100 mbufs: 90 free to this thread, 10 in use or in other caches\n" +
        "  free ring  74 of 128 slots, producer at 100, consumer at 26\n" +
        "  cache      16, refilled to 16, flushed above 24\n" +
        "  mbufs      100 of 448 bytes: headroom 128, data room 256, guard 64\n$",
    ),
  );
});
