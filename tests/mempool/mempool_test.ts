import { deepEqual, equal, throws } from "node:assert/strict";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import type { CacheOptions } from "../../app/mempool/cache_options.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import fc from "fast-check";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

/** A mempool of one test, whose free ring is unmapped at its end. */
function freshPool(total: number, cache?: number | CacheOptions): Mempool & Disposable {
  const pool = Mempool.create(total, cache);
  const close = () => new MappedMemory(pool.handle.memory).close();
  return Object.assign(pool, { [Symbol.dispose]: close });
}

/** The mbuf indexes of `count` descriptors, from number `at` on, sorted. */
function indexes(burst: Burst, count: number, at = 0): number[] {
  return Array.from({ length: count }, (_, i) => burst.words[2 * (at + i)]).sort((a, b) => a - b);
}

/** 0 to `count - 1`. */
function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

for (const total of [1, 2, 3, 64, 100, 1000]) {
  for (const cacheSize of [0, 32, 256]) {
    Deno.test(`Mempool of ${total} with a cache of ${cacheSize} gives each mbuf once`, () => {
      using pool = freshPool(total, cacheSize);
      const burst = Burst.of(total + 10);
      equal(pool.available, total);
      let n = 0;
      for (let got = 1; got > 0; n += got) got = pool.allocBurst(burst, 7, n);
      equal(n, total);
      deepEqual(indexes(burst, n), upTo(total));
      equal(pool.available, 0);
      equal(pool.allocBulk(burst, 1), 0);
      pool.free(burst, n);
      equal(pool.available, total);
    });
  }
}

Deno.test("Mempool.allocBulk() makes empty descriptors, from the one told on", () => {
  using pool = freshPool(100);
  const burst = burstOf(new Uint32Array(2 * 8).fill(0xeeeeeeee));
  equal(pool.allocBulk(burst, 3, 2), 3);
  deepEqual([...burst.words.subarray(0, 4)], Array(4).fill(0xeeeeeeee));
  for (let i = 2; i < 5; i++) equal(burst.words[2 * i + 1], HEADROOM_BYTES);
  deepEqual([...burst.words.subarray(10)], Array(6).fill(0xeeeeeeee));
});

Deno.test("Mempool.allocBulk() is all or none, allocBurst() up to `max`", () => {
  using pool = freshPool(10);
  const burst = burstOf(new Uint32Array(2 * 16).fill(0xeeeeeeee));
  equal(pool.allocBulk(burst, 11), 0);
  equal(burst.words[0], 0xeeeeeeee);
  equal(pool.available, 10, "nothing is lost by a refusal");
  equal(pool.allocBulk(burst, 8), 8);
  equal(pool.allocBulk(burst, 3, 8), 0);
  equal(pool.allocBurst(burst, 3, 8), 2);
  deepEqual(indexes(burst, 10), upTo(10));
  equal(pool.allocBurst(burst, 3), 0);
  equal(pool.allocBurst(burst, 0) + pool.allocBulk(burst, 0), 0);
});

Deno.test("Mempool.allocBulk() takes 512 at once, with any cache", () => {
  for (const cacheSize of [0, 256]) {
    using pool = freshPool(512, cacheSize);
    const burst = Burst.of(512);
    equal(pool.allocBulk(burst, 512), 512);
    deepEqual(indexes(burst, 512), upTo(512));
  }
});

Deno.test("Mempool.free() takes as many as there are at once, of any descriptors", () => {
  using pool = freshPool(5000);
  const burst = Burst.of(5000);
  let n = 0;
  while (n < 5000) n += pool.allocBurst(burst, 500, n);
  for (let i = 0; i < n; i++) {
    burst.words[2 * i] |= 0xa5000000; // flags
    burst.words[2 * i + 1] = 0xffffffff;
  }
  pool.free(burst, 4999, 1);
  equal(pool.available, 4999);
  pool.free(burst, 1);
  equal(pool.available, 5000);
  n = 0;
  while (n < 5000) n += pool.allocBurst(burst, 500, n);
  deepEqual(indexes(burst, n), upTo(5000));
});

Deno.test("Mempool.allocBulk() returns first what was freed last, still warm", () => {
  using pool = freshPool(1000);
  const burst = Burst.of(64);
  pool.allocBulk(burst, 64);
  pool.free(burst, 1, 17);
  const again = Burst.of(1);
  pool.allocBulk(again, 1);
  equal(again.words[0], burst.words[2 * 17]);
});

Deno.test("Mempool.close() gives the cache back to the others", () => {
  using one = freshPool(100, 25);
  const two = Mempool.attach(one.handle, 25);
  const burst = Burst.of(100);
  two.allocBulk(burst, 10);
  two.free(burst, 10);
  two.close();
  equal(one.available, 100);
  equal(one.allocBulk(burst, 100), 100);
  deepEqual(indexes(burst, 100), upTo(100));
});

Deno.test("Mempool keeps nothing back where the cache is 0", () => {
  using one = freshPool(100, 0);
  const two = Mempool.attach(one.handle, 0);
  const burst = Burst.of(100);
  equal(one.allocBulk(burst, 60), 60);
  equal(two.allocBulk(Burst.of(41), 41), 0);
  equal(one.available, 40, "a refused bulk keeps nothing");
  two.free(burst, 60);
  equal(one.available, 100, "nor does free()");
});

for (const total of [64, 600, 1024]) {
  Deno.test(`Mempool of ${total}: one who only frees does not starve one who only allocates`, () => {
    using receiver = freshPool(total);
    const sender = Mempool.attach(receiver.handle);
    const burst = Burst.of(16);
    for (let i = 0; i < total; i++) {
      equal(receiver.allocBulk(burst, 16), 16, `in round ${i}`);
      sender.free(burst, 16);
    }
  });
}

Deno.test("Mempool conserves its mbufs and gives none twice, whatever three threads' calls", () => {
  const call = fc.constantFrom("allocBulk", "allocBurst", "free", "close");
  const step = fc.tuple(fc.nat(2), call, fc.nat(70));
  const sizes = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.nat(64));
  fc.assert(
    fc.property(sizes, fc.array(step, { maxLength: 80 }), ([total, cacheSize], steps) => {
      using first = freshPool(total, cacheSize);
      const pools = [first, ...[1, 2].map(() => Mempool.attach(first.handle, cacheSize))];
      const held = new Set<number>();
      const burst = Burst.of(70);
      for (const [who, call, n] of steps) {
        if (call === "close") pools[who].close();
        else if (call === "free") {
          const some = [...held].slice(0, n);
          some.forEach((index, i) => held.delete(burst.words[2 * i] = index));
          pools[who].free(burst, some.length);
        } else {
          const got = pools[who][call](burst, n);
          equal(call === "allocBulk" ? got === n || got === 0 : got <= n, true, `${got} of ${n}`);
          for (let i = 0; i < got; i++) {
            const index = burst.words[2 * i];
            equal(index < total && !held.has(index), true, `mbuf ${index} of ${total} given twice`);
            held.add(index);
          }
        }
      }
      for (const pool of pools) pool.close();
      equal(first.available + held.size, total);
    }),
    { numRuns: 60 },
  );
});

Deno.test("Mempool.cache is flushed above its threshold, to its size", () => {
  for (const [flushThreshold, above] of [[undefined, 24], [16, 16], [40, 40], [528, 528]]) {
    using pool = freshPool(1000, { cacheSize: 16, flushThreshold });
    equal(pool.cache.flushThreshold, above);
    const other = Mempool.attach(pool.handle, 0);
    const burst = Burst.of(600);
    for (let n = 0; n < 600;) n += other.allocBurst(burst, 300, n);
    pool.free(burst, above!);
    equal(pool.cache.cached, above);
    pool.free(burst, 1, above);
    equal(pool.cache.cached, 16);
  }
});

Deno.test("Mempool.cache is flushed above its threshold after more than it has room for too", () => {
  using pool = freshPool(1000, { cacheSize: 16, flushThreshold: 16 });
  const other = Mempool.attach(pool.handle, 0);
  const burst = Burst.of(600);
  for (let n = 0; n < 600;) n += other.allocBurst(burst, 300, n);
  pool.free(burst, 600);
  equal(pool.cache.cached, 16);
  equal(pool.available, 1000);
});

for (const total of [0, -1, 1.5, NaN, 2 ** 24 + 1]) {
  Deno.test(`Mempool.create() refuses ${total} mbufs`, () => {
    throws(() => Mempool.create(total), {
      name: "CulvertError",
      message: `Cannot use a mempool of ${total} mbufs: 1 to 16777216 are possible`,
    });
  });
}

for (const cache of [-1, 0.5, NaN]) {
  Deno.test(`Mempool.create() refuses a cache of ${cache}`, () => {
    throws(() => Mempool.create(10, cache), {
      message: `Cannot use a mempool with a cache of ${cache} mbufs: 0 or more are possible`,
    });
  });
}

for (const flushThreshold of [15, 529, 20.5]) {
  Deno.test(`Mempool.create() refuses to flush a cache of 16 above ${flushThreshold}`, () => {
    throws(() => Mempool.create(100, { cacheSize: 16, flushThreshold }), {
      message: `Cannot use a mempool with a cache of 16 mbufs that is flushed above ` +
        `${flushThreshold}: 16 to 528 are possible`,
    });
  });
}

Deno.test("Mempool.inUse is what is neither in the free ring nor in this thread's cache", () => {
  using pool = freshPool(100, 25);
  const other = Mempool.attach(pool.handle, 25);
  const burst = Burst.of(10);
  pool.allocBulk(burst, 10);
  equal(pool.inUse, 10);
  other.allocBulk(Burst.of(1), 1);
  equal(pool.inUse, 10 + 26, "what is in another's cache counts");
  other.close();
  equal(pool.inUse, 11);
});

Deno.test("Mempool does as a list of free mbufs does, whatever the calls", () => {
  const call = fc.constantFrom("allocBulk", "allocBurst", "free");
  const sizes = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(70));
  const step = fc.tuple(call, fc.nat(90), fc.nat(3));
  const burst = Burst.of(93);
  fc.assert(
    fc.property(sizes, fc.array(step, { maxLength: 100 }), ([total, cacheSize], steps) => {
      using pool = freshPool(total, cacheSize);
      const held = new Set<number>();
      for (const [what, n, at] of steps) {
        const free = total - held.size;
        burst.words.fill(0xeeeeeeee);
        if (what === "free") {
          const some = [...held].slice(0, n);
          for (const index of some) held.delete(index);
          some.forEach((index, i) => burst.words[2 * (at + i)] = index);
          pool.free(burst, some.length, at);
        } else {
          const got = pool[what](burst, n, at);
          equal(got, what === "allocBulk" ? (n <= free ? n : 0) : Math.min(n, free));
          for (const index of indexes(burst, got, at)) {
            equal(index < total && !held.has(index), true, `mbuf ${index} of ${total} given twice`);
            held.add(index);
          }
          equal(burst.words.subarray(0, 2 * at).every((word) => word === 0xeeeeeeee), true);
          equal(burst.words.subarray(2 * (at + got)).every((word) => word === 0xeeeeeeee), true);
        }
        equal(pool.inUse, held.size);
        equal(pool.available, total - held.size);
      }
      const free = new Set<number>();
      pool.walkFree((index) => free.add(index));
      equal(free.size, total - held.size);
      equal([...free].some((index) => held.has(index)), false);
    }),
    { numRuns: 150 },
  );
});

Deno.test("Mempool refuses descriptors that a burst does not have, and takes or frees nothing", () => {
  using pool = freshPool(100);
  const burst = Burst.of(8);
  for (const call of ["allocBulk", "allocBurst", "free"] as const) {
    for (const [count, at] of [[9, 0], [1, 8], [8, 1], [1, -1]]) {
      throws(
        () => pool[call](burst, count, at),
        /^CulvertError: Cannot use elements .* of a burst/,
      );
    }
    throws(() => pool[call](Burst.of(8, 4), 1), /^CulvertError: Cannot use elements .* of 8 bytes/);
  }
  equal(pool.available, 100);
});
