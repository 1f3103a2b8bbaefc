import { deepEqual, equal } from "node:assert/strict";
import { IMIX } from "../../app/gen/gen_options.ts";
import { MBUFS, NumberedFrames, readNumbered } from "../../app/gen/numbered_frames.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const TO = Uint8Array.of(2, 0, 0, 0, 0, 1), FROM = Uint8Array.of(2, 0, 0, 0, 0, 2);
const STRIDE = 2368;

Deno.test("NumberedFrames are read again, whatever their size, with VLAN tags too", () => {
  using memory = freshMemory((MBUFS + 1) * STRIDE);
  const mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: MBUFS + 1 });
  const frames = new NumberedFrames(mbufs, 1, IMIX, { to: TO, from: FROM });
  const found = { number: 0, time: 0 };
  let [number, bytes] = [4_294_960_000, 0];
  for (let burst = 0; burst < 40; burst++) {
    const time = 123 * 2 ** 32 + burst;
    frames.number(30, 0xdeadbeef, number, time);
    for (let i = 0; i < 30; i++) {
      const [word0, word1] = frames.burst.words.subarray(2 * (frames.at + i));
      equal(readNumbered(mbufs, word0, word1, 0xdeadbeef, found), true);
      deepEqual(found, { number: number + i, time });
      equal(readNumbered(mbufs, word0, word1, 0xdeadbeee, found), false);
      const byte = mbufs.frameByte(word0, word1);
      deepEqual(mbufs.u8.slice(byte, byte + 12), Uint8Array.of(...TO, ...FROM));
      const tagged = mbufs.u8.slice(byte, byte + (word1 >>> 16));
      mbufs.u8.set(tagged.subarray(0, 12), 128);
      mbufs.u8.set([0x81, 0, 0, 5], 140);
      mbufs.u8.set(tagged.subarray(12), 144);
      equal(readNumbered(mbufs, 0, 128 | tagged.length + 4 << 16, 0xdeadbeef, found), true);
      equal(found.number, number + i);
    }
    bytes += frames.sent(30);
    number += 30;
  }
  equal(bytes, 100 * IMIX.reduce((sum, size) => sum + size));
});

Deno.test("A numbered frame's headers are right: lengths, and the checksum of RFC 791", () => {
  using memory = freshMemory(MBUFS * STRIDE);
  const mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: MBUFS });
  const { burst } = new NumberedFrames(mbufs, 0, [1514], { to: TO, from: FROM });
  const byte = mbufs.frameByte(burst.words[0], burst.words[1]);
  const view = new DataView(mbufs.u8.slice(byte, byte + 1514).buffer);
  deepEqual([view.getUint16(12), view.getUint16(16), view.getUint16(38)], [0x800, 1500, 1480]);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
  equal((sum & 0xffff) + (sum >>> 16), 0xffff);
});

Deno.test("readNumbered() takes nothing else for a frame of its own", () => {
  using memory = freshMemory(STRIDE);
  const mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: 1 });
  const found = { number: 0, time: 0 };
  for (const type of [[0x08, 0x06], [0x81, 0], [0x88, 0xa8], [8, 0]]) {
    for (let at = 140; at < 1600; at += 2) mbufs.u8.set(type, at);
    for (const bytes of [14, 15, 59, 60, 64, 68, 1514]) {
      equal(readNumbered(mbufs, 0, 128 | bytes << 16, 1, found), false, `${type} ${bytes}`);
    }
  }
});
