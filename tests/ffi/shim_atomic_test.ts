import { equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { freshMemory, numberOfNoMap } from "./fresh_memory.ts";

const NO_MAP = numberOfNoMap();

Deno.test("shim_compare_and_swap() returns 1 if it swapped, else 0", () => {
  using memory = freshMemory(4096);
  equal(shim.shim_compare_and_swap(memory.map, 0, 0, 0xffffffff), 1);
  equal(shim.shim_compare_and_swap(memory.map, 0, 0, 5), 0);
  equal(memory.u32[0], 0xffffffff);
});

Deno.test("shim_store_release() beyond a map changes nothing", () => {
  using below = freshMemory(4096);
  using above = freshMemory(4096);
  for (const word of [1024, 1025, 2 ** 30, 2 ** 32 - 1]) {
    shim.shim_store_release(below.map, word, 7);
  }
  ok(below.u32.every((word) => word === 0));
  ok(above.u32.every((word) => word === 0));
});

Deno.test("shim_load_acquire() beyond a map reads 0, whatever was stored there", () => {
  using memory = freshMemory(4096);
  memory.u32.fill(3);
  equal(shim.shim_load_acquire(memory.map, 1023), 3);
  for (const word of [1024, 2 ** 32 - 1]) {
    shim.shim_store_release(memory.map, word, 7);
    equal(shim.shim_compare_and_swap(memory.map, word, 0, 7), 0);
    equal(shim.shim_load_acquire(memory.map, word), 0);
  }
  equal(shim.shim_load_acquire(NO_MAP, 0), 0);
});

Deno.test("shim_load_awaited() reads as shim_load_acquire() does, wherever the next word is", () => {
  using memory = freshMemory(4096);
  memory.u32[5] = 0xffffffff;
  for (const old of [0xffffffff, 7]) {
    for (const next of [6, 1023, 1024, 2 ** 32 - 1]) {
      equal(shim.shim_load_awaited(memory.map, 5, old, next), 0xffffffff);
      equal(shim.shim_load_awaited(memory.map, 1024, 0, next), 0);
      equal(shim.shim_load_awaited(NO_MAP, 5, 0, next), 0);
    }
  }
});

Deno.test("shim_full_fence(), shim_pause() and shim_yield() return", () => {
  shim.shim_full_fence();
  shim.shim_pause(0);
  shim.shim_pause(1000);
  shim.shim_yield();
});

Deno.test("shim_prefetch() skips descriptors outside the mbufs", () => {
  using memory = freshMemory(4096);
  equal(shim.shim_map_cells(memory.map, 0n, 256, 16), 0);
  memory.u32.set([15, 128, 16, 0, 0xffffff, 0xffffffff], 100);
  shim.shim_prefetch(memory.map, memory.map, 100, 3);
  shim.shim_prefetch(NO_MAP, memory.map, 100, 3);
  shim.shim_prefetch(memory.map, NO_MAP, 0, 3);
  shim.shim_prefetch(memory.map, memory.map, 0xffffffff, 3);
});

Deno.test("shim_compare_exchange() returns what it found, and swaps if that was expected", () => {
  using memory = freshMemory(4096);
  equal(shim.shim_compare_exchange(memory.map, 5, 0, 0xffffffff), 0);
  equal(shim.shim_compare_exchange(memory.map, 5, 0, 7), 0xffffffff);
  equal(memory.u32[5], 0xffffffff);
  equal(shim.shim_compare_exchange(memory.map, 1024, 9, 7), 10, "beyond the map it never succeeds");
});

Deno.test("shim_compare_and_swap_pair() swaps both words or none", () => {
  using memory = freshMemory(4096);
  memory.u32.set([1, 2], 6);
  for (const [low, high] of [[1, 3], [2, 2], [2, 1]]) {
    equal(shim.shim_compare_and_swap_pair(memory.map, 6, low, high, 8, 9), 0);
  }
  equal(memory.u32[6] * 10 + memory.u32[7], 12);
  equal(shim.shim_compare_and_swap_pair(memory.map, 6, 1, 2, 0xffffffff, 0xfffffffe), 1);
  equal(memory.u32[6], 0xffffffff);
  equal(memory.u32[7], 0xfffffffe);
  equal(memory.u32[8], 0);
  equal(shim.shim_compare_and_swap_pair(memory.map, 1024, 0, 0, 1, 1), -1);
});

Deno.test("shim_store_in_turn() stores when its turn has come, and gives up after its pauses", () => {
  using memory = freshMemory(4096);
  equal(shim.shim_store_in_turn(memory.map, 3, 5, 6, 10), 0);
  equal(memory.u32[3], 0);
  memory.u32[3] = 5;
  equal(shim.shim_store_in_turn(memory.map, 3, 5, 6, 0), 1);
  equal(memory.u32[3], 6);
  equal(shim.shim_store_in_turn(memory.map, 1024, 5, 6, 10), 1, "nobody waits beyond the map");
});

/** To claim, in the first argument of `shim_slots_copy()`. */
const CLAIM = 1 << 30;
const FAULT = -14, AGAIN = -11;

/** The first argument of `shim_slots_copy()`, of elements of 8 bytes. */
function routeOf(ring: MappedMemory, burst: MappedMemory, slots: number, reads: boolean): number {
  return ring.map | burst.map << 11 | (Math.log2(slots) + 1) << 22 | 1 << 27 |
    (reads ? 1 << 29 : 0);
}

Deno.test("shim_slots_copy() copies round the end, and publishes in turn", () => {
  using ring = freshMemory(4096);
  using own = freshMemory(4096);
  const WRITE = routeOf(ring, own, 4, false), READ = routeOf(ring, own, 4, true);
  own.u32.set([1, 2, 3, 4, 5, 6], 20);
  ring.u32[0] = 7;
  equal(shim.shim_slots_copy(WRITE, 100, 20, 3, 7, 0), 1);
  equal(ring.u32.slice(99, 109).join(), "0,3,4,5,6,0,0,1,2,0");
  equal(ring.u32[0], 10);
  equal(shim.shim_slots_copy(READ, 100, 40, 3, 7, 32), 0, "not its turn");
  equal(own.u32.slice(39, 47).join(), "0,1,2,3,4,5,6,0");
  equal(ring.u32[32], 0);
  equal(shim.shim_slots_copy(READ, 100, 40, 0, 0, 32), 1, "nothing to copy");
  own.u32.fill(0, 40, 46);
  equal(shim.shim_slots_copy(READ, 100, 40, 3, 7, 2 ** 32 - 1), 0, "no word: copied all the same");
  equal(own.u32.slice(39, 47).join(), "0,1,2,3,4,5,6,0");
});

Deno.test("shim_slots_copy() claims first if told to, and does nothing if it cannot", () => {
  using ring = freshMemory(4096);
  using own = freshMemory(4096);
  const route = routeOf(ring, own, 4, false) | CLAIM;
  own.u32.set([1, 2, 3, 4], 20);
  ring.u32.set([7, 7], 10); // head, tail
  equal(shim.shim_slots_copy(route, 100, 20, 2, 6, 11), AGAIN, "the head has gone on");
  ok(ring.u32.subarray(100).every((word) => word === 0));
  equal(ring.u32.slice(9, 13).join(), "0,7,7,0");
  equal(shim.shim_slots_copy(route, 100, 20, 2, 7, 11), 1);
  equal(ring.u32.slice(9, 13).join(), "0,9,9,0");
  equal(ring.u32.slice(100, 108).join(), "3,4,0,0,0,0,1,2");
  ring.u32[10] = 12; // three were claimed by others, who are not done yet
  equal(shim.shim_slots_copy(route, 100, 20, 1, 12, 11), 0);
  equal(ring.u32.slice(9, 13).join(), "0,13,9,0");
  equal(ring.u32.slice(100, 104).join(), "1,2,0,0");
});

Deno.test("shim_slots_copy() takes runs of every length, and positions near 2^32", () => {
  using ring = freshMemory(4096);
  using own = freshMemory(8192);
  const WRITE = routeOf(ring, own, 64, false), READ = routeOf(ring, own, 64, true);
  for (let n = 0; n <= 64; n++) {
    for (const turn of [0, 40, (0 - n) >>> 0, 2 ** 32 - 1]) {
      for (let i = 0; i < 2 * n; i++) own.u32[i] = n * 1000 + i + 1;
      own.u32.fill(0, 1000, 1200);
      ring.u32[0] = ring.u32[1] = turn;
      equal(shim.shim_slots_copy(WRITE, 128, 0, n, turn, 0), 1);
      equal(shim.shim_slots_copy(READ, 128, 1000, n, turn, 1), 1);
      equal(own.u32.slice(1000, 1000 + 2 * n).join(), own.u32.slice(0, 2 * n).join());
      equal(own.u32[1000 + 2 * n], 0);
      equal(ring.u32[1], (turn + n) >>> 0);
    }
  }
});

Deno.test("shim_slots_copy() touches nothing outside the maps, and no more than the ring has", () => {
  using ring = freshMemory(4096);
  using own = freshMemory(4096);
  own.u32.fill(7);
  const wrong = [[1020, 0, 1], [0, 1020, 4], [0, 0, 5], [0, 0, 2 ** 31]];
  for (const [slots, burst, n] of wrong) {
    for (const reads of [false, true]) {
      const route = routeOf(ring, own, 4, reads);
      equal(shim.shim_slots_copy(route, slots, burst, n, 0, 50), FAULT);
      equal(shim.shim_slots_copy(route | CLAIM, slots, burst, n, 0, 50), FAULT);
    }
  }
  for (const tail of [0, 1025, 2 ** 32 - 1]) {
    const route = routeOf(ring, own, 4, false) | CLAIM;
    equal(shim.shim_slots_copy(route, 100, 0, 1, 0, tail), FAULT, "no word to claim");
  }
  ok(ring.u32.every((word) => word === 0) && own.u32.every((word) => word === 7));
});
