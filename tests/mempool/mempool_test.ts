import { deepEqual, equal } from "node:assert/strict";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import fc from "fast-check";

/** A mempool of one test, whose free ring is unmapped at its end. */
function freshPool(total: number, cacheSize?: number): Mempool & Disposable {
  const pool = Mempool.create(total, cacheSize);
  const close = () => new MappedMemory(pool.handle.memory).close();
  return Object.assign(pool, { [Symbol.dispose]: close });
}

/** The mbuf indexes of the first `count` descriptors, sorted. */
function indexes(burst: Uint32Array, count: number): number[] {
  return Array.from({ length: count }, (_, i) => burst[2 * i]).sort((a, b) => a - b);
}

/** 0 to `count - 1`. */
function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

for (const total of [1, 2, 3, 64, 100, 1000]) {
  for (const cacheSize of [0, 32, 256]) {
    Deno.test(`Mempool of ${total} with a cache of ${cacheSize} gives each mbuf once`, () => {
      using pool = freshPool(total, cacheSize);
      const burst = new Uint32Array(2 * (total + 10));
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
  const burst = new Uint32Array(2 * 8).fill(0xeeeeeeee);
  equal(pool.allocBulk(burst, 3, 2), 3);
  deepEqual([...burst.subarray(0, 4)], Array(4).fill(0xeeeeeeee));
  for (let i = 2; i < 5; i++) equal(burst[2 * i + 1], HEADROOM_BYTES);
  deepEqual([...burst.subarray(10)], Array(6).fill(0xeeeeeeee));
});

Deno.test("Mempool.allocBulk() is all or none, allocBurst() up to `max`", () => {
  using pool = freshPool(10);
  const burst = new Uint32Array(2 * 16).fill(0xeeeeeeee);
  equal(pool.allocBulk(burst, 11), 0);
  equal(burst[0], 0xeeeeeeee);
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
    const burst = new Uint32Array(2 * 512);
    equal(pool.allocBulk(burst, 512), 512);
    deepEqual(indexes(burst, 512), upTo(512));
  }
});

Deno.test("Mempool.free() takes as many as there are at once, of any descriptors", () => {
  using pool = freshPool(5000);
  const burst = new Uint32Array(2 * 5000);
  let n = 0;
  while (n < 5000) n += pool.allocBurst(burst, 500, n);
  for (let i = 0; i < n; i++) {
    burst[2 * i] |= 0xa5000000; // flags
    burst[2 * i + 1] = 0xffffffff;
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
  const burst = new Uint32Array(2 * 64);
  pool.allocBulk(burst, 64);
  pool.free(burst, 1, 17);
  const again = new Uint32Array(2);
  pool.allocBulk(again, 1);
  equal(again[0], burst[2 * 17]);
});

Deno.test("Mempool.close() gives the cache back to the others", () => {
  using one = freshPool(100, 25);
  const two = Mempool.attach(one.handle, 25);
  const burst = new Uint32Array(2 * 100);
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
  const burst = new Uint32Array(2 * 100);
  equal(one.allocBulk(burst, 60), 60);
  equal(two.allocBulk(burst.slice(), 41), 0);
  equal(one.available, 40, "a refused bulk keeps nothing");
  two.free(burst, 60);
  equal(one.available, 100, "nor does free()");
});

for (const total of [64, 600, 1024]) {
  Deno.test(`Mempool of ${total}: one who only frees does not starve one who only allocates`, () => {
    using receiver = freshPool(total);
    const sender = Mempool.attach(receiver.handle);
    const burst = new Uint32Array(2 * 16);
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
      const burst = new Uint32Array(2 * 70);
      for (const [who, call, n] of steps) {
        if (call === "close") pools[who].close();
        else if (call === "free") {
          const some = [...held].slice(0, n);
          some.forEach((index, i) => held.delete(burst[2 * i] = index));
          pools[who].free(burst, some.length);
        } else {
          const got = pools[who][call](burst, n);
          equal(call === "allocBulk" ? got === n || got === 0 : got <= n, true, `${got} of ${n}`);
          for (let i = 0; i < got; i++) {
            const index = burst[2 * i];
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
