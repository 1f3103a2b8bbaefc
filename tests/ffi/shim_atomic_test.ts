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
