import { deepEqual, equal } from "node:assert/strict";
import { fold, sum as sumOf } from "../../app/port/checksum.ts";
import { shim } from "../../ffi/shim.ts";
import { ConnectedSockets } from "./connected_sockets.ts";
import { fileTest } from "./folder.ts";
import { freshMemory, numberOfNoMap } from "./fresh_memory.ts";
import { OpenFiles } from "./open_files.ts";
import { freshRing } from "./packet_ring.ts";

const EBADF = 9, EFAULT = 14, EINVAL = 22, ERANGE = 34, ENOTSOCK = 88;
const STRIDE = 256, COUNT = 4, CELLS = 1024;

/** `struct rx_room` in shim/burst.h: meta of 256 frames, and behind them the overflow of each. */
const OVERFLOW = 4096, OVERFLOW_BYTES = 1 << 18;

/** Memory with four mbufs of 256 bytes from byte 1024 on, and descriptors at its start. */
function memoryWithMbufs() {
  const memory = freshMemory(4096);
  equal(shim.shim_map_cells(memory.map, BigInt(CELLS), STRIDE, COUNT), 0);
  return memory;
}

/** Descriptors that name a byte outside their mbuf, or no mbuf. */
const OUTSIDE: Record<string, [number, number]> = {
  "an index one too large": [COUNT, 0],
  "the largest index": [0xffffff, 64 << 16],
  "an offset one too large": [0, STRIDE + 1],
  "a length one too large": [COUNT - 1, 1 | STRIDE << 16],
  "the largest offset and length": [0, 0xffffffff],
};

for (const [what, descriptor] of Object.entries(OUTSIDE)) {
  Deno.test(`shim_packet_* and shim_tap_* give EFAULT for ${what}`, () => {
    using files = new OpenFiles();
    using memory = memoryWithMbufs();
    const fd = files.add(shim.shim_eventfd()); // whatever is written to it fails otherwise
    using room = freshMemory(OVERFLOW + OVERFLOW_BYTES);
    using ring = freshRing();
    const { map } = memory;
    memory.u32.set(descriptor);
    ring.put(0, new Uint8Array(60));
    equal(shim.shim_packet_tx(fd, map, map, 0, 1, -1), -EFAULT);
    equal(shim.shim_packet_rx(fd, map, map, 0, room.map | ring.map << 16, 1), -EFAULT);
    equal(shim.shim_tap_tx(fd, map, map, 0, 1, -1), -EFAULT);
    equal(shim.shim_tap_rx(fd, map, map, 0, room.map, 1), -EFAULT);
  });
}

Deno.test("shim_packet_* and shim_tap_* give EFAULT for descriptors that reach out of their memory", () => {
  using files = new OpenFiles();
  using memory = memoryWithMbufs();
  using room = freshMemory(OVERFLOW + 2 * OVERFLOW_BYTES);
  using ring = freshRing();
  const fd = files.add(shim.shim_eventfd());
  const { map } = memory;
  const words = memory.bytes / 4;
  for (const [burst, word] of [[map, words - 3], [map, 0xffffffff], [numberOfNoMap(), 0]]) {
    equal(shim.shim_packet_tx(fd, map, burst, word, 2, -1), -EFAULT);
    equal(shim.shim_packet_rx(fd, map, burst, word, room.map | ring.map << 16, 2), -EFAULT);
    equal(shim.shim_tap_tx(fd, map, burst, word, 2, -1), -EFAULT);
    equal(shim.shim_tap_rx(fd, map, burst, word, room.map, 2), -EFAULT);
  }
});

Deno.test("shim_packet_rx() and shim_tap_rx() give EFAULT without room for the overflow of each frame", () => {
  using files = new OpenFiles();
  using memory = memoryWithMbufs();
  using room = freshMemory(OVERFLOW + OVERFLOW_BYTES);
  using ring = freshRing();
  const fd = files.add(shim.shim_eventfd());
  memory.u32.set([0, 8 << 16, 1, 8 << 16]);
  for (const [map, count] of [[room.map, 2], [numberOfNoMap(), 1]]) {
    const maps = map | ring.map << 16;
    equal(shim.shim_packet_rx(fd, memory.map, memory.map, 0, maps, count), -EFAULT);
    equal(shim.shim_tap_rx(fd, memory.map, memory.map, 0, map, count), -EFAULT);
  }
});

fileTest("shim_packet_* send nothing of a burst with one descriptor outside the mbufs", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithMbufs();
  memory.u32.set([0, 8 << 16, COUNT, 8 << 16]);
  equal(shim.shim_packet_tx(sockets.client, memory.map, memory.map, 0, 2, -1), -EFAULT);
  equal(shim.shim_discard(sockets.server, 1), 0);
});

Deno.test("shim_packet_* give EFAULT for a map without mbufs, or none", () => {
  using memory = freshMemory(4096);
  for (const map of [memory.map, numberOfNoMap()]) {
    equal(shim.shim_packet_tx(-1, map, memory.map, 0, 1, -1), -EFAULT);
  }
});

Deno.test("shim_packet_* take 256 frames and no more", () => {
  using files = new OpenFiles();
  using memory = memoryWithMbufs();
  using burst = freshMemory(4096);
  const fd = files.add(shim.shim_eventfd());
  equal(shim.shim_packet_tx(fd, memory.map, burst.map, 0, 256, -1), -ENOTSOCK);
  equal(shim.shim_packet_tx(fd, memory.map, burst.map, 0, 257, -1), -EINVAL);
  equal(shim.shim_packet_rx(fd, memory.map, burst.map, 0, memory.map, 257), -EINVAL);
});

fileTest("shim_tap_tx() sends the bytes that offset and length name, whatever the flags", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithMbufs();
  for (let i = 0; i < COUNT * STRIDE; i++) memory.u8[CELLS + i] = i >>> 4;
  memory.u32.set([0xff000003, 32 | 3 << 16, 0, STRIDE - 2 | 2 << 16], 10);
  equal(shim.shim_tap_tx(sockets.client, memory.map, memory.map, 10, 2, -1), 2);
  const received = new Uint8Array(16);
  equal(shim.shim_file_read(sockets.server, received, 16), 5);
  deepEqual([...received.subarray(0, 5)], [50, 50, 50, 15, 15]);
});

fileTest("shim_tap_rx() fills mbufs, says how long the frame was, and what did not fit", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithMbufs();
  memory.u8.set([1, 2, 3, 4, 5], CELLS);
  memory.u32.set([0, 5 << 16, 2, 16 | 3 << 16, 3, 16 | 3 << 16]);
  shim.shim_tap_tx(sockets.client, memory.map, memory.map, 0, 1, -1);
  using room = freshMemory(OVERFLOW + 2 * OVERFLOW_BYTES);
  room.u32.fill(9, 0, 8);
  equal(shim.shim_tap_rx(sockets.server, memory.map, memory.map, 2, room.map, 2), 1);
  deepEqual([...memory.u8.subarray(CELLS + 2 * STRIDE + 15, CELLS + 2 * STRIDE + 20)], [
    0,
    1,
    2,
    3,
    0,
  ]);
  deepEqual([...room.u8.subarray(OVERFLOW, OVERFLOW + 3)], [4, 5, 0]);
  deepEqual([...memory.u32.subarray(2, 6)], [2, 16 | 3 << 16, 3, 16 | 3 << 16]);
  deepEqual([...room.u32.subarray(0, 5)], [5, 0, 0, 0, 9]);
});

fileTest("shim_tap_rx() sets the length of a frame shorter than the room", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithMbufs();
  using room = freshMemory(OVERFLOW + OVERFLOW_BYTES);
  memory.u32.set([0, 5 << 16, 1, 128 | 100 << 16]);
  shim.shim_tap_tx(sockets.client, memory.map, memory.map, 0, 1, -1);
  equal(shim.shim_tap_rx(sockets.server, memory.map, memory.map, 2, room.map, 1), 1);
  deepEqual([...memory.u32.subarray(2, 4)], [1, 128 | 5 << 16]);
});

Deno.test("shim_discard() throws away what waits, up to `count`, and says how much", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  shim.shim_eventfd_signal(fd);
  equal(shim.shim_discard(fd, 0), 0);
  equal(shim.shim_discard(fd, 8), 1);
  equal(shim.shim_discard(fd, 8), 0);
  equal(shim.shim_discard(-1, 8), -EBADF);
});

/** Behind the four mbufs of 256 bytes two long ones of three cells. */
function memoryWithLong() {
  const memory = freshMemory(16384);
  equal(shim.shim_map_cells(memory.map, BigInt(CELLS), STRIDE, COUNT), 0);
  equal(shim.shim_map_long(memory.map, 3, 2), 0);
  return memory;
}

Deno.test("shim_map_long() gives ERANGE for long mbufs that do not fit, and EBADF without a map", () => {
  using memory = freshMemory(4096);
  equal(shim.shim_map_cells(memory.map, BigInt(CELLS), STRIDE, COUNT), 0);
  equal(shim.shim_map_long(memory.map, 4, 2), 0);
  for (const [cells, count] of [[0, 1], [3, 3], [0xffffffff, 0xffffffff], [8, 2 ** 29]]) {
    equal(shim.shim_map_long(memory.map, cells, count), -ERANGE);
  }
  equal(shim.shim_map_long(-1, 3, 2), -EBADF);
});

fileTest("the shim sends from a long mbuf by its first cell, up to its last byte", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithLong();
  const last = COUNT + 3;
  memory.u8.set([7, 8, 9], CELLS + (last + 3) * STRIDE - 3);
  memory.u32.set([last, 3 * STRIDE - 3 | 3 << 16]);
  equal(shim.shim_tap_tx(sockets.client, memory.map, memory.map, 0, 1, -1), 1);
  const received = new Uint8Array(8);
  equal(shim.shim_file_read(sockets.server, received, 8), 3);
  deepEqual([...received.subarray(0, 3)], [7, 8, 9]);
  const bad = [[last, 3 * STRIDE - 2 | 3 << 16], [last + 1, 3 << 16], [COUNT + 6, 3 << 16]];
  for (const descriptor of [...bad, [COUNT + 1, 3 << 16], [0xffffff, 3 << 16]]) {
    memory.u32.set(descriptor);
    equal(shim.shim_tap_tx(sockets.client, memory.map, memory.map, 0, 1, -1), -EFAULT);
  }
});

fileTest("shim_tap_rx() has a frame that is too long for its mbuf in the long one, whole", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithLong();
  using room = freshMemory(OVERFLOW + OVERFLOW_BYTES);
  const frame = Uint8Array.from({ length: 400 }, (_, i) => i + 1);
  for (
    const [bytes, isLong, rest] of [[400, true, 0], [100, false, 0], [400, true, 100]] as const
  ) {
    shim.shim_socket_send(sockets.client, frame, bytes, frame, 0);
    memory.u32.set([COUNT, 16 | (400 - rest) << 16, 1, 16 | 200 << 16]);
    memory.u8.fill(0, CELLS);
    const count = 1 | 1 << 16;
    equal(shim.shim_tap_rx(sockets.server, memory.map, memory.map, 2, room.map, count), 1);
    equal(room.u32[0], bytes);
    const at = CELLS + (isLong ? COUNT : 1) * STRIDE + 16;
    deepEqual(memory.u8.slice(at, at + bytes - rest), frame.slice(0, bytes - rest));
    deepEqual(room.u8.slice(OVERFLOW, OVERFLOW + rest), frame.slice(bytes - rest, bytes));
    equal(memory.u32[1] >>> 16, 400 - rest);
    equal(memory.u32[3] >>> 16, Math.min(bytes, 200));
  }
});

fileTest("shim_tap_rx() and shim_packet_rx() give EFAULT for a long mbuf that is none", () => {
  using files = new OpenFiles();
  using memory = memoryWithLong();
  using room = freshMemory(OVERFLOW + OVERFLOW_BYTES);
  using ring = freshRing();
  ring.put(0, new Uint8Array(60));
  const fd = files.add(shim.shim_eventfd());
  const count = 1 | 1 << 16;
  for (const word0 of [COUNT + 1, COUNT + 6, 0xffffff]) {
    memory.u32.set([word0, 16 | 400 << 16, 1, 16 | 200 << 16]);
    const maps = room.map | ring.map << 16;
    equal(shim.shim_tap_rx(fd, memory.map, memory.map, 2, room.map, count), -EFAULT);
    equal(shim.shim_packet_rx(fd, memory.map, memory.map, 2, maps, count), -EFAULT);
  }
  equal(shim.shim_tap_rx(fd, memory.map, memory.map, 0, room.map, count), -EFAULT, "in front of 0");
});

fileTest("shim_tap_tx() sends zeros or a header of 10 bytes before each frame, as told", () => {
  using sockets = new ConnectedSockets();
  using memory = memoryWithMbufs();
  using headers = freshMemory(4096);
  memory.u8.set([1, 2], CELLS);
  memory.u32.set([0, 2 << 16, 0, 2 << 16]);
  headers.u8.set(Uint8Array.from({ length: 36 }, (_, i) => 50 + i));
  const sent = (count: number, how: number) => {
    equal(shim.shim_tap_tx(sockets.client, memory.map, memory.map, 0, count, how), count);
    const received = new Uint8Array(64);
    return [...received.subarray(0, shim.shim_file_read(sockets.server, received, 64))];
  };
  deepEqual(sent(1, -2), [...new Array(10).fill(0), 1, 2]);
  const ten = (from: number) => Array.from({ length: 10 }, (_, i) => from + i);
  deepEqual(sent(2, headers.map | 1 << 16), [...ten(62), 1, 2, ...ten(74), 1, 2]);
  for (const how of [headers.map | 341 << 16, headers.map | 0x7fff << 16, numberOfNoMap()]) {
    equal(shim.shim_tap_tx(sockets.client, memory.map, memory.map, 0, 1, how), -EFAULT);
    equal(shim.shim_packet_tx(sockets.client, memory.map, memory.map, 0, 1, how), -EFAULT);
  }
});

Deno.test("shim_sum() copies and sums as the loop in TypeScript does, wherever bytes lie", () => {
  using from = freshMemory(4096);
  using to = freshMemory(4096);
  const words = { u8: to.u8, u32: to.u32 };
  for (let i = 0; i < 4096; i++) from.u8[i] = i * 151 + (i >> 5);
  for (
    const [start, at, count] of [[0, 0, 0], [0, 0, 1], [3, 1, 7], [2, 5, 64], [7, 4, 1447], [
      0,
      1,
      4095,
    ]]
  ) {
    to.u8.fill(0);
    const sum = shim.shim_sum(from.map | to.map << 16, start, at, count);
    deepEqual(to.u8.slice(at, at + count), from.u8.slice(start, start + count));
    equal(sum % 0xffff, fold(sumOf(words, at, at + count)) % 0xffff);
    equal(shim.shim_sum(to.map | to.map << 16, at, at, count), sum, "in place");
  }
  equal(shim.shim_sum(from.map | to.map << 16, 1, 0, 4096), 0, "outside");
  equal(shim.shim_sum(from.map | to.map << 16, 0, 0xffffffff, 2), 0, "outside");
});
