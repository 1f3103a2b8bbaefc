import { deepEqual, equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { ConnectedSockets } from "./connected_sockets.ts";
import { fileTest } from "./folder.ts";
import { freshMemory } from "./fresh_memory.ts";
import { OpenFiles } from "./open_files.ts";
import { freshRing } from "./packet_ring.ts";

const EFAULT = 14, LOST = 0xffffffff;
const STRIDE = 256, COUNT = 4, CELLS = 1024, LONG = 3;

/** `struct rx_room` in shim/burst.h: meta of 256 frames, and behind them the overflow of each. */
const OVERFLOW = 4096, OVERFLOW_BYTES = 1 << 18;

/** Four mbufs of 256 bytes and two long ones of 768, room for two frames, a ring, a socket. */
function lab(fd: number) {
  const memory = freshMemory(16384);
  equal(shim.shim_map_cells(memory.map, BigInt(CELLS), STRIDE, COUNT), 0);
  equal(shim.shim_map_long(memory.map, LONG, 2), 0);
  const room = freshMemory(OVERFLOW + 2 * OVERFLOW_BYTES);
  const ring = freshRing();
  const receive = (count: number, word = 0) => {
    const maps = room.map | ring.map << 16;
    return shim.shim_packet_rx(fd, memory.map, memory.map, word, maps, count);
  };
  const close = () => [ring, room, memory].forEach((one) => one[Symbol.dispose]());
  return { memory, room, ring, receive, [Symbol.dispose]: close };
}

const frameOf = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => i * 7 + bytes);

Deno.test("shim_packet_rx() takes frames from the ring with what the kernel says of them", () => {
  using files = new OpenFiles();
  using it = lab(files.add(shim.shim_eventfd()));
  const { memory, room, ring } = it;
  ring.put(0, frameOf(64), { header: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], vlan: [0x88a8, 7] });
  ring.put(1, frameOf(200));
  memory.u32.set([0, 16 | 100 << 16, 1, 16 | 100 << 16]);
  equal(it.receive(2), 2);
  deepEqual([...memory.u32.subarray(0, 4)], [0, 16 | 64 << 16, 1, 16 | 100 << 16]);
  deepEqual(memory.u8.slice(CELLS + 16, CELLS + 80), frameOf(64));
  deepEqual([...room.u32.subarray(0, 8)], [
    ...[64, 0x88a8 << 16 >>> 0 | 7, 0x06050201, 0x0a090807].map((word) => word >>> 0),
    ...[200, 0, 0, 0],
  ]);
  const second = CELLS + STRIDE + 16;
  deepEqual(memory.u8.slice(second, second + 100), frameOf(200).slice(0, 100));
  const behind = OVERFLOW + OVERFLOW_BYTES;
  deepEqual(room.u8.slice(behind, behind + 100), frameOf(200).slice(100));
  equal(ring.isFree(0) && ring.isFree(1), true);
  equal(it.receive(2), 0);
});

Deno.test("shim_packet_rx() goes on at the slot where the last call ended, around the ring", () => {
  using files = new OpenFiles();
  using it = lab(files.add(shim.shim_eventfd()));
  const { memory, room, ring } = it;
  ring.next = 32;
  ring.put(32, frameOf(60));
  ring.put(0, frameOf(61));
  ring.put(1, frameOf(62));
  memory.u32.set([0, 16 | 100 << 16, 1, 16 | 100 << 16]);
  equal(it.receive(2), 2);
  deepEqual([room.u32[0], room.u32[4], ring.next, ring.isFree(1)], [60, 61, 1, false]);
  memory.u32.set([0, 16 | 100 << 16, 1, 16 | 100 << 16]);
  equal(it.receive(2), 1);
  deepEqual([room.u32[0], ring.next], [62, 2]);
});

fileTest(
  "shim_packet_rx() has a frame too long for the ring from the socket, in a long mbuf",
  () => {
    using sockets = new ConnectedSockets();
    using it = lab(sockets.server);
    const { memory, room, ring } = it;
    const waiting = Uint8Array.of(1, 1, 0, 0, 5, 0, 0, 0, 0, 0, ...frameOf(400));
    shim.shim_socket_send(sockets.client, waiting, waiting.length, waiting, 0);
    ring.put(0, frameOf(60));
    ring.put(1, frameOf(40), { length: 400, waits: true });
    const empty = [COUNT, 16 | 700 << 16, 0, 16 | 200 << 16, 1, 16 | 200 << 16];
    memory.u32.set(empty);
    equal(it.receive(2 | 1 << 16, 2), 1, "the second slot has no long mbuf");
    memory.u32.set(empty);
    equal(it.receive(2 | 1 << 16, 2), 1);
    deepEqual([...room.u32.subarray(0, 4)], [400, 0, 5 << 16 | 1 << 8 | 1, 0]);
    equal(memory.u32[1], 16 | 400 << 16);
    const at = CELLS + COUNT * STRIDE + 16;
    deepEqual(memory.u8.slice(at, at + 400), frameOf(400));
  },
);

fileTest("shim_packet_rx() tells of a frame for which the socket had no room, and goes on", () => {
  using sockets = new ConnectedSockets();
  using it = lab(sockets.server);
  const { memory, room, ring } = it;
  ring.put(0, frameOf(40), { length: 4000 });
  ring.put(1, frameOf(40), { length: 4000, waits: true }); // it does not
  memory.u32.set([0, 16 | 100 << 16, 1, 16 | 100 << 16]);
  equal(it.receive(2), 2);
  deepEqual([room.u32[0], room.u32[4]], [LOST, LOST]);
  deepEqual([...memory.u32.subarray(0, 4)], [0, 16 | 100 << 16, 1, 16 | 100 << 16]);
  equal(it.receive(2), 0);
});

Deno.test("shim_packet_rx() gives EFAULT for a map that is no ring", () => {
  using memory = freshMemory(4096);
  using room = freshMemory(OVERFLOW + OVERFLOW_BYTES);
  const maps = room.map | memory.map << 16;
  equal(shim.shim_packet_rx(-1, memory.map, memory.map, 0, maps, 1), -EFAULT);
});
