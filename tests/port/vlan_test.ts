import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { behindTags, insertTag } from "../../app/port/vlan.ts";
import type { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const OFFSET = 256;
const STRIDE = 512;

const mbufs = new Mbufs(MappedMemory.ofProcess(8192), { offset: OFFSET, stride: STRIDE, count: 8 });

/** Put a frame in mbuf 3; returns its descriptor, at number 1 of a burst, and where it starts. */
function place(frame: Uint8Array, headroom: number): { burst: Burst; byte: number } {
  mbufs.u8.fill(0xee);
  const byte = OFFSET + 3 * STRIDE + headroom;
  mbufs.u8.set(frame, byte);
  const word0 = 0x5a000003;
  return { burst: burstOf([7, 7, word0, dataWord(headroom, frame.length), 7, 7]), byte };
}

Deno.test("insertTag() puts TPID and TCI behind the MAC addresses and moves nothing else", () => {
  fc.assert(fc.property(
    fc.uint8Array({ minLength: 14, maxLength: 300, size: "max" }),
    fc.integer({ min: 2, max: 64 }),
    fc.nat(0xffffffff),
    (frame, half, vlan) => {
      const { burst, byte } = place(frame, 2 * half);
      const wanted = mbufs.u8.slice();
      wanted.set(frame.subarray(0, 12), byte - 4);
      new DataView(wanted.buffer).setUint32(byte + 8, vlan);
      ok(insertTag(mbufs, burst, 1, vlan));
      deepStrictEqual(mbufs.u8.slice(), wanted);
      const data = dataWord(2 * half - 4, frame.length + 4);
      deepStrictEqual([...burst.words], [7, 7, 0x5a000003, data, 7, 7]);
    },
  ));
});

Deno.test("insertTag() twice makes a service tag around a customer tag", () => {
  const frame = Uint8Array.from({ length: 60 }, (_, i) => i);
  const { burst } = place(frame, 128);
  ok(insertTag(mbufs, burst, 1, 0x81000005));
  ok(insertTag(mbufs, burst, 1, 0x88a80007));
  const start = mbufs.frameByte(burst.words[2], burst.words[3]);
  const tags = [0x88, 0xa8, 0, 7, 0x81, 0, 0, 5];
  const wanted = [...frame.subarray(0, 12), ...tags, ...frame.subarray(12)];
  deepStrictEqual([...mbufs.u8.subarray(start, start + (burst.words[3] >>> 16))], wanted);
});

Deno.test("insertTag() refuses a frame without headroom or Ethernet header, untouched", () => {
  for (const [headroom, length] of [[0, 60], [2, 60], [3, 60], [128, 13], [128, 0]]) {
    const { burst } = place(new Uint8Array(length), headroom);
    const [memory, words] = [mbufs.u8.slice(), burst.words.slice()];
    strictEqual(insertTag(mbufs, burst, 1, 0x81000001), false, `${headroom}, ${length}`);
    deepStrictEqual(mbufs.u8.slice(), memory);
    deepStrictEqual(burst.words.slice(), words);
  }
});

Deno.test("behindTags() skips up to two tags of either kind", () => {
  const frame = (...types: number[]) => {
    const bytes = new Uint8Array(64);
    types.forEach((type, i) => new DataView(bytes.buffer).setUint16(12 + 4 * i, type));
    return bytes;
  };
  strictEqual(behindTags(frame(0x0800)), 14);
  strictEqual(behindTags(frame(0x8100, 0x0800)), 18);
  strictEqual(behindTags(frame(0x88a8, 0x8100, 0x86dd)), 22);
  strictEqual(behindTags(frame(0x8100, 0x8100, 0x8100, 0x86dd)), 22);
});
