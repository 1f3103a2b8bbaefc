import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { crc32c } from "../../app/port/crc32c.ts";
import { finishChecksum } from "../../app/port/partial_checksum.ts";
import { wordsOf } from "../../app/port/checksum.ts";

const SCTP = 132;

Deno.test("crc32c() agrees with RFC 3720, B.4, and the check value of the catalogue", () => {
  strictEqual(crc32c(new Uint8Array(32), 0, 32), 0x8a9136aa);
  strictEqual(crc32c(new Uint8Array(32).fill(0xff), 0, 32), 0x62a8ab43);
  strictEqual(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i), 0, 32), 0x46dd794e);
  const digits = new TextEncoder().encode("..123456789..");
  strictEqual(crc32c(digits, 2, 11), 0xe3069283);
});

/** Ethernet, IP and 40 bytes of SCTP, whose checksum field holds `field`. */
function sctpFrame(version: 4 | 6, tags: number[], field: number) {
  const network = 14 + 4 * tags.length;
  const start = network + (version === 4 ? 20 : 40);
  const frame = new Uint8Array(start + 40).map((_, i) => 7 * i);
  const view = new DataView(frame.buffer);
  tags.forEach((tag, i) => view.setUint32(12 + 4 * i, tag));
  view.setUint16(network - 2, version === 4 ? 0x0800 : 0x86dd);
  frame[network] = version === 4 ? 0x45 : 0x60;
  frame[network + (version === 4 ? 9 : 6)] = SCTP;
  view.setUint32(start + 8, field, true);
  return { frame, start };
}

/** The frame in some memory, at a byte that a received frame may begin at. */
function inMemory(frame: Uint8Array, at = 18) {
  const words = wordsOf(new Uint8Array(4096).fill(0xee));
  words.u8.set(frame, at);
  return { words, at };
}

for (const version of [4, 6] as const) {
  for (const tags of [[], [0x81000007], [0x88a80007, 0x81000008]]) {
    Deno.test(`finishChecksum() puts CRC32c into SCTP over IPv${version} behind ${tags.length} tags`, () => {
      const { frame, start } = sctpFrame(version, tags, 0xdeadbeef);
      const { words, at } = inMemory(frame);
      ok(finishChecksum(words, at, frame.length, start, 8));
      const crc = crc32c(sctpFrame(version, tags, 0).frame, start, frame.length);
      const wanted = sctpFrame(version, tags, crc).frame;
      deepStrictEqual(words.u8.slice(at, at + frame.length), wanted);
      strictEqual(words.u8[at + frame.length], 0xee);
    });
  }
}

Deno.test("finishChecksum() of a short SCTP packet writes nothing beyond the frame", () => {
  const { frame, start } = sctpFrame(4, [], 0);
  const { words, at } = inMemory(frame);
  const before = words.u8.slice();
  strictEqual(finishChecksum(words, at, start + 11, start, 8), false);
  deepStrictEqual(words.u8.slice(), before);
});

Deno.test("finishChecksum() at byte 8 of what is no SCTP makes an Internet sum", () => {
  const { frame, start } = sctpFrame(4, [], 0);
  frame[14 + 9] = 17;
  const { words, at } = inMemory(frame);
  ok(finishChecksum(words, at, frame.length, start, 8));
  deepStrictEqual(words.u8.slice(at + start + 10, at + frame.length), frame.slice(start + 10));
});
