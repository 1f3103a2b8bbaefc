import { deepEqual, equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { MPMC } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { LateOrder } from "./late_user_worker.ts";
import { burstOf, numbers, wordsOf } from "../kit/burst_of.ts";
import { pause } from "../kit/wait.ts";

const SIZE = 8;

for (const producers of ["multi", "rts"] as const) {
  Deno.test(`MpmcRing (${producers}) gives two producers slots of their own, though one remembers an old head`, () => {
    using memory = freshMemory(4096);
    const ring = () => new MpmcRing(memory, 0, SIZE, { producers, headTailMax: SIZE });
    const [one, other] = [ring(), ring()];
    equal(one.reserveBulk(3), 3);
    equal(other.reserveBulk(2), 2);
    deepEqual([one.reserved, other.reserved], [0, 3]);
    one.commit(3);
    other.commit(2);
    equal(one.count, 5);
  });
}

Deno.test("MpmcRing (rts) lets others finish past a producer that is preempted, and publishes when it is back", () => {
  using memory = freshMemory(4096);
  const shape = { producers: "rts", headTailMax: SIZE } as const;
  const [preempted, other] = [
    new MpmcRing(memory, 0, SIZE, shape),
    new MpmcRing(memory, 0, SIZE, shape),
  ];
  equal(preempted.reserveBulk(2), 2);
  equal(other.enqueueBulk(numbers(3, 100), 3), 3);
  equal(other.enqueueBulk(numbers(2, 103), 2), 2);
  equal(other.count, 0, "nothing is seen before what came first is whole");
  preempted.words[0] = 7;
  preempted.words[1] = 8;
  preempted.commit(2);
  const got = Burst.of(8, 4);
  equal(other.dequeueBurst(got, 8), 7);
  deepEqual([...got.words.subarray(0, 7)], [7, 8, 100, 101, 102, 103, 104]);
});

Deno.test("MpmcRing (rts) frees no slot that a preempted consumer still reads", () => {
  using memory = freshMemory(4096);
  const shape = { consumers: "rts", headTailMax: SIZE } as const;
  const [preempted, other] = [
    new MpmcRing(memory, 0, SIZE, shape),
    new MpmcRing(memory, 0, SIZE, shape),
  ];
  other.enqueueBulk(numbers(8), 8);
  equal(preempted.peekBulk(1), 1);
  equal(other.dequeueBulk(Burst.of(5, 4), 5), 5);
  equal(other.enqueueBurst(numbers(1), 1), 0);
  preempted.finish(1);
  equal(other.enqueueBurst(numbers(8), 8), 6);
});

/** Do something just after a word is loaded next, before who loaded it goes on. */
function afterNextLoad(map: number, word: number, act: () => void): Disposable {
  const { shim_load_acquire } = shim;
  const restore = () => void Object.assign(shim, { shim_load_acquire });
  const hooked = (ofMap: number, ofWord: number) => {
    const value = shim_load_acquire(ofMap, ofWord);
    if (ofMap === map && ofWord === word) {
      restore();
      act();
    }
    return value;
  };
  Object.assign(shim, { shim_load_acquire: hooked });
  return { [Symbol.dispose]: restore };
}

/** Long enough for another thread to do what it must not. */
const LONG_MS = 30;
const lateUser = new URL("./late_user_worker.ts", import.meta.url);

for (const sharing of ["multi", "hts"] as const) {
  Deno.test(`MpmcRing (${sharing}): an enqueue waits for a producer that began before`, async () => {
    using memory = freshMemory(4096);
    const shape = { producers: sharing, consumers: sharing };
    const ring = new MpmcRing(memory, 0, 64, shape);
    equal(ring.reserveBulk(2), 2);
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const [call, count] = ["enqueueBulk", 30] as const;
    const order = { memory: memory.handle, size: 64, shape, call, count, shared };
    const late = runWorkers<LateOrder, number>(lateUser, [order]);
    await Atomics.waitAsync(shared, 0, 0, 10_000).value;
    await pause(LONG_MS);
    equal(ring.count, 0, "slots that are not written have been published");
    ring.words.set([7, 8], ring.reserved);
    ring.commit(2);
    deepEqual(await late, [count]);
    const got = Burst.of(64, 4);
    equal(ring.dequeueBurst(got, 64), count + 2);
    deepEqual([...got.words.subarray(0, 3)], [7, 8, 100]);
  });

  Deno.test(`MpmcRing (${sharing}): a dequeue waits for a consumer that began before`, async () => {
    using memory = freshMemory(4096);
    const shape = { producers: sharing, consumers: sharing };
    const ring = new MpmcRing(memory, 0, 64, shape);
    ring.enqueueBulk(numbers(64), 64);
    equal(ring.peekBulk(2), 2);
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const [call, count] = ["dequeueBulk", 30] as const;
    const order = { memory: memory.handle, size: 64, shape, call, count, shared };
    const late = runWorkers<LateOrder, number>(lateUser, [order]);
    await Atomics.waitAsync(shared, 0, 0, 10_000).value;
    await pause(LONG_MS);
    equal(ring.count, 64, "slots that are not read have been given back");
    ring.finish(2);
    deepEqual(await late, [count]);
    equal(ring.count, 62 - count);
  });
}

for (const producers of ["multi", "hts", "rts"] as const) {
  Deno.test(`a ${producers} producer that slept while 2^32 elements went by sees that the ring is full`, () => {
    using memory = freshMemory(4096);
    const ring = () => new MpmcRing(memory, 0, 8, { producers, headTailMax: 8 });
    const [sleeper, worker] = [ring(), ring()];
    worker.reset(2 ** 32 - 4);
    equal(worker.enqueueBulk(burstOf([1, 2, 3, 4, 5, 6, 7, 8], 4), 8), 8);
    equal(sleeper.enqueueBurst(Burst.of(4, 4), 4), 0);
    const found = Burst.of(8, 4);
    equal(worker.dequeueBulk(found, 8), 8);
    deepEqual([...found.words], [1, 2, 3, 4, 5, 6, 7, 8]);
  });
}

for (const producers of ["multi", "hts", "rts"] as const) {
  Deno.test(`a ${producers} producer that sleeps between two loads for 2^32 elements sees a full ring`, () => {
    const burst = Burst.of(8, 4);
    using memory = freshMemory(4096);
    const ring = () => new MpmcRing(memory, 0, 8, { producers, headTailMax: 8 });
    const [preempted, worker] = [ring(), ring()];
    // It knows of 2 free slots behind its head, 6. The others have gone on to 8.
    equal(preempted.enqueueBulk(burst, 6), 6);
    equal(worker.dequeueBulk(Burst.of(6, 4), 6), 6);
    equal(worker.enqueueBulk(numbers(2), 2), 2);
    equal(worker.dequeueBulk(Burst.of(2, 4), 2), 2);
    // After it has loaded their tail, 8, and before the head, 8 + 2^32 or so.
    using _hook = afterNextLoad(memory.map, MPMC.CONSUMER_TAIL, () => {
      worker.reset(4);
      equal(worker.enqueueBulk(numbers(8), 8), 8);
    });
    equal(preempted.enqueueBurst(burst, 4), 0);
    const found = Burst.of(9, 4);
    equal(worker.dequeueBurst(found, 9), 8);
    deepEqual(wordsOf(found, 8), wordsOf(numbers(8), 8));
  });
}
