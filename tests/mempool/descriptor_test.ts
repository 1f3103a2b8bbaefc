import { deepEqual, equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR } from "../../app/memory/layout.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { ConnectedSockets } from "../ffi/connected_sockets.ts";
import { fileTest } from "../ffi/folder.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { burstOf } from "../kit/burst_of.ts";

// The shim reads descriptors by macros of its own (shim.h). Let it send what a descriptor names,
// and see that these are the bytes that TypeScript means.

/** What shim/burst.c asks for beside the mbuf of one frame: `struct rx_room`. */
const ROOM_BYTES = 4096 + (1 << 18);

const GEOMETRY = { offset: 16384, stride: 2368, count: 20 };

for (const [index, offset, length] of [[0, 0, 1], [1, 128, 64], [19, 2367, 1], [7, 1, 2367]]) {
  fileTest(`descriptor of ${length} bytes at ${offset} of mbuf ${index}: the shim agrees`, () => {
    using sockets = new ConnectedSockets();
    using memory = freshMemory(65536);
    const mbufs = new Mbufs(memory, GEOMETRY);
    for (let i = 0; i < memory.bytes; i++) memory.u8[i] = (i * 7 + (i >>> 8)) & 0xff;
    const burst = burstOf([
      index | 0xa5 << DESCRIPTOR.FLAGS_SHIFT,
      dataWord(offset, length),
    ]);
    equal(shim.shim_tap_tx(sockets.client, memory.map, burst.map, burst.word, 1, -1), 1);
    const received = new Uint8Array(4096);
    equal(shim.shim_file_read(sockets.server, received, received.length), length);
    const start = mbufs.frameByte(burst.words[0], burst.words[1]);
    deepEqual(received.slice(0, length), memory.u8.slice(start, start + length));
  });
}

fileTest("descriptor that the shim has filled: TypeScript agrees on its length", () => {
  using sockets = new ConnectedSockets();
  using memory = freshMemory(65536);
  new Mbufs(memory, GEOMETRY);
  using room = freshMemory(ROOM_BYTES);
  const sent = burstOf([0, dataWord(0, 1000)]);
  shim.shim_tap_tx(sockets.client, memory.map, sent.map, sent.word, 1, -1);
  const burst = burstOf([5, dataWord(128, 2240)]);
  equal(shim.shim_tap_rx(sockets.server, memory.map, burst.map, burst.word, room.map, 1), 1);
  deepEqual([...burst.words], [5, dataWord(128, 1000)]);
});
