import { equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { freshMemory } from "./fresh_memory.ts";

const NO_MAP = 255; // the last number; the tests come nowhere near it

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

Deno.test("shim_full_fence(), shim_pause() and shim_yield() return", () => {
  shim.shim_full_fence();
  shim.shim_pause(0);
  shim.shim_pause(1000);
  shim.shim_yield();
});

Deno.test("shim_prefetch() skips descriptors outside the mbufs", () => {
  using memory = freshMemory(4096);
  equal(shim.shim_map_cells(memory.map, 0n, 256, 16), 0);
  const burst = new Uint32Array([15, 128, 16, 0, 0xffffff, 0xffffffff]);
  shim.shim_prefetch(memory.map, burst, 3);
  shim.shim_prefetch(NO_MAP, burst, 3);
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
  equal(shim.shim_compare_and_swap_pair(memory.map, 1024, 0, 0, 1, 1), 0);
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

Deno.test("shim_slots_write() and shim_slots_read() copy round the end, and publish in turn", () => {
  using memory = freshMemory(4096);
  const burst = Uint32Array.from([1, 2, 3, 4, 5, 6]);
  equal(shim.shim_slots_write(memory.map, 100, 8, 5, burst, 6, 0, 0, 6), 1);
  equal(memory.u32.slice(99, 109).join(), "0,4,5,6,0,0,1,2,3,0");
  equal(memory.u32[0], 6);
  const got = new Uint32Array(7);
  equal(shim.shim_slots_read(memory.map, 100, 8, 5, got, 6, 32, 1, 7), 0, "not its turn");
  equal(got.join(), "1,2,3,4,5,6,0");
  equal(memory.u32[32], 0);
});

Deno.test("shim_slots_write() and shim_slots_read() touch nothing if the slots are not in the map", () => {
  using memory = freshMemory(4096);
  const burst = new Uint32Array(16).fill(7);
  for (const [slots, size, at, words] of [[1020, 8, 0, 1], [0, 8, 8, 1], [0, 8, 0, 9]]) {
    equal(shim.shim_slots_write(memory.map, slots, size, at, burst, words, 50, 0, 1), 0);
    equal(shim.shim_slots_read(memory.map, slots, size, at, burst, words, 50, 0, 1), 0);
  }
  ok(memory.u32.every((word) => word === 0) && burst.every((word) => word === 7));
});
