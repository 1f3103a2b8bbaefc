import { deepEqual, equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { freshMemory, numberOfNoMap } from "./fresh_memory.ts";

const EFAULT = 14;
const STRIDE = 256, COUNT = 4, CELLS = 1024;

/** Memory with four mbufs of 256 bytes from byte 1024 on, and descriptors at its start. */
function memoryWithMbufs() {
  const memory = freshMemory(4096);
  equal(shim.shim_map_cells(memory.map, BigInt(CELLS), STRIDE, COUNT), 0);
  return memory;
}

/** `struct record_ring` in shim/record.c: a page with the head, 8 MiB, and room for the longest. */
const RECORD_RING_BYTES = 4096 + (1 << 23) + (1 << 17);

Deno.test("shim_frames_record() copies the beginnings of frames into blocks of pcapng", () => {
  using memory = memoryWithMbufs();
  using ring = freshMemory(RECORD_RING_BYTES);
  memory.u8.set([1, 2, 3, 4, 5, 6, 7], CELLS + 10);
  memory.u32.set([0, 10 | 7 << 16, 1, 200 << 16]);
  ring.u32[1] = 5;
  const maps = memory.map | memory.map << 16;
  equal(shim.shim_frames_record(maps, 0, 2, ring.map, 0, 3 | 1 << 16), 2);
  equal(ring.u32[0], 2 * 52);
  const block = [...ring.u32.subarray(1024, 1024 + 13)];
  deepEqual(block.slice(0, 3), [6, 52, 3]);
  const ms = (block[3] * 2 ** 32 + block[4]) / 1e6;
  equal(Math.abs(ms - Date.now()) < 5000, true);
  deepEqual(block.slice(5), [5, 7, 0x04030201, 5, 2 | 4 << 16, 1, 0, 52]);
  deepEqual([...ring.u32.subarray(1024 + 13 + 5, 1024 + 13 + 7)], [5, 200]);
});

Deno.test("shim_frames_record() writes what has room, and nothing outside a ring", () => {
  using memory = memoryWithMbufs();
  using ring = freshMemory(RECORD_RING_BYTES);
  const maps = memory.map | memory.map << 16;
  const record = (place: number, map = ring.map) =>
    shim.shim_frames_record(maps, 0, 4, map, place, 0);
  memory.u32.set([0, 100 << 16, 1, 100 << 16, 2, 100 << 16, COUNT, 100 << 16]);
  ring.u32[1] = 65535;
  ring.u32[0] = (1 << 23) - 200;
  equal(record(0), 1); // of 144 bytes each
  ring.u32[64] = (1 << 23) - 200;
  equal(record(0), 4); // the first of these ends behind the ring
  equal(record(4096), -EFAULT);
  equal(record(4), -EFAULT);
  equal(record(0xfffff000), -EFAULT);
  equal(record(0, numberOfNoMap()), -EFAULT);
  equal(record(0, memory.map), -EFAULT);
});
