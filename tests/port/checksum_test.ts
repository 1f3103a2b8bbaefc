import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  checksumOf,
  completeChecksum,
  copyAndSum,
  fold,
  put16,
  sum,
  swap16,
  type Words,
  wordsOf,
} from "../../app/port/checksum.ts";
import { slowSum } from "../kit/slow_checksum.ts";

const HEADER_BYTES = { 4: 14 + 20, 6: 14 + 40 } as const;
const TCP = { number: 6, bytes: 20, checksum: 16 } as const;
const UDP = { number: 17, bytes: 8, checksum: 6 } as const;

/** 0 and 0xffff are the same number in ones' complement. */
function sameSum(a: number, b: number): boolean {
  return a % 0xffff === b % 0xffff;
}

function memory(bytes: Uint8Array): Words {
  const u8 = new Uint8Array(new SharedArrayBuffer(Math.ceil(bytes.length / 4) * 4 + 64));
  u8.fill(0xee);
  u8.set(bytes, 16);
  return wordsOf(u8);
}

/** Ethernet, IP, and a transport header whose checksum field holds the pseudo-header's sum. */
function partialFrame(version: 4 | 6, protocol: typeof TCP | typeof UDP, payload: Uint8Array) {
  const start = HEADER_BYTES[version];
  const frame = new Uint8Array(start + protocol.bytes + payload.length);
  const view = new DataView(frame.buffer);
  for (let i = 0; i < start + protocol.bytes; i++) frame[i] = 37 * i + 11;
  view.setUint16(start + protocol.checksum, 0);
  frame.set(payload, start + protocol.bytes);
  const addresses = frame.subarray(version === 4 ? 26 : 22, start);
  const length = protocol.bytes + payload.length;
  const pseudo = [...addresses, 0, protocol.number, length >> 8, length & 0xff];
  view.setUint16(start + protocol.checksum, slowSum(pseudo));
  return { frame, start, pseudo };
}

Deno.test("checksumOf() agrees with the example of RFC 1071, section 3", () => {
  const words = memory(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7));
  strictEqual(swap16(fold(sum(words, 16, 24))), 0xddf2);
  strictEqual(checksumOf(sum(words, 16, 24)), 0xffff - 0xddf2);
});

Deno.test("checksumOf() makes the checksum of an IPv4 header from a capture", () => {
  const header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 192, 168, 0, 1, 192, 168, 0];
  const words = memory(Uint8Array.from([...header, 199]));
  strictEqual(checksumOf(sum(words, 16, 36)), 0xb861);
});

Deno.test("sum() agrees with the slow sum wherever it starts and ends", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 3000, size: "max" }),
    fc.nat(4),
    fc.nat(4),
    (bytes, front, back) => {
      const end = Math.max(bytes.length - back, 0);
      const start = Math.min(front, end);
      const evened = start % 2 === 0 ? [] : [0];
      const wanted = slowSum([...evened, ...bytes.subarray(start, end)]);
      ok(sameSum(swap16(fold(sum(memory(bytes), 16 + start, 16 + end))), wanted));
    },
  ));
});

Deno.test("sum() does not overflow on 64 KiB of ones", () => {
  const words = memory(new Uint8Array(65536).fill(0xff));
  strictEqual(fold(sum(words, 16, 16 + 65536)), 0xffff);
  strictEqual(sum(words, 16, 16 + 65536), 32768 * 0xffff);
});

Deno.test("copyAndSum() copies and sums at any alignment, and writes nothing beside", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 1600, size: "max" }),
    fc.nat(7),
    fc.nat(7),
    (bytes, from, to) => {
      const source = memory(new Uint8Array([...new Array(from).fill(0xaa), ...bytes]));
      const target = memory(new Uint8Array(bytes.length + 8).fill(0xee));
      const at = 16 + to;
      const found = copyAndSum(target, at, source, 16 + from, bytes.length);
      const wanted = new Uint8Array(target.u8.length).fill(0xee);
      wanted.set(bytes, at);
      deepStrictEqual(new Uint8Array(target.u8), wanted);
      strictEqual(fold(found), fold(sum(target, at, at + bytes.length)));
    },
  ));
});

Deno.test("copyAndSum() reads up to the last byte of memory and no further", () => {
  for (let start = 1000; start <= 1024; start++) {
    const source = wordsOf(new Uint8Array(1024).fill(0x55));
    const target = wordsOf(new Uint8Array(1024));
    copyAndSum(target, 1024 - (1024 - start), source, start, 1024 - start);
    copyAndSum(target, 0, source, start, 1024 - start);
    deepStrictEqual(target.u8.subarray(start), source.u8.subarray(start));
    deepStrictEqual(target.u8.subarray(0, 1024 - start), source.u8.subarray(start));
  }
});

Deno.test("copyAndSum() of pieces adds up to the sum of the whole, wherever it is cut", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300, size: "max" }),
      fc.nat(),
      (bytes, at) => {
        const cut = at % bytes.length;
        const source = memory(bytes);
        const target = memory(bytes.slice().fill(0));
        const found = copyAndSum(target, 16, source, 16, cut) +
          copyAndSum(target, 16 + cut, source, 16 + cut, bytes.length - cut);
        strictEqual(fold(found), fold(sum(source, 16, 16 + bytes.length)));
      },
    ),
  );
});

for (const version of [4, 6] as const) {
  for (const [name, protocol] of Object.entries({ TCP, UDP })) {
    Deno.test(`completeChecksum() finishes ${name} over IPv${version}`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 1448, size: "max" }), fc.nat(3), (payload, odd) => {
          const { frame, start, pseudo } = partialFrame(version, protocol, payload);
          const words = memory(new Uint8Array([...new Uint8Array(2 * odd), ...frame]));
          const byte = 16 + 2 * odd;
          const before = words.u8.slice();
          ok(completeChecksum(words, byte, frame.length, start, protocol.checksum));
          const field = byte + start + protocol.checksum;
          const transport = words.u8.subarray(byte + start, byte + frame.length);
          strictEqual(slowSum([...pseudo, ...transport]), 0xffff);
          before.set(words.u8.subarray(field, field + 2), field);
          deepStrictEqual(words.u8.slice(), before, "only the checksum changed");
        }),
      );
    });
  }
}

Deno.test("completeChecksum() writes 0xffff for 0, as skb_checksum_help() does", () => {
  const { frame, start } = partialFrame(4, UDP, new Uint8Array(100));
  const rest = slowSum(frame.subarray(start));
  put16(frame, frame.length - 2, 0xffff - rest);
  const words = memory(frame);
  ok(completeChecksum(words, 16, frame.length, start, UDP.checksum));
  const field = 16 + start + UDP.checksum;
  deepStrictEqual([...words.u8.subarray(field, field + 2)], [0xff, 0xff]);
});

Deno.test("completeChecksum() sums from an odd byte on, too", () => {
  for (const offset of [6, 7]) {
    const bytes = Uint8Array.from({ length: 101 }, (_, i) => 31 * i + 7);
    const words = memory(bytes);
    ok(completeChecksum(words, 16, 101, 35, offset));
    const expected = 0xffff - slowSum(bytes.subarray(35)) || 0xffff;
    strictEqual(words.u8[16 + 35 + offset] << 8 | words.u8[16 + 36 + offset], expected);
  }
});

Deno.test("completeChecksum() refuses a checksum outside the frame", () => {
  const words = memory(Uint8Array.from({ length: 100 }, (_, i) => i));
  const before = words.u8.slice();
  const meta = [[84, 16], [100, 0], [0, 99], [98, 1], [0xffff, 0xffff], [34, 0xffff]];
  for (const [start, offset] of [...meta, [200, 6]]) {
    strictEqual(completeChecksum(words, 16, 100, start, offset), false, `${start}, ${offset}`);
  }
  strictEqual(completeChecksum(words, 16, 0, 0, 0), false);
  strictEqual(completeChecksum(words, 16, 99, 82, 16), false, "half of it outside");
  deepStrictEqual(words.u8.slice(), before);
  ok(completeChecksum(words, 16, 100, 82, 16), "the last two bytes are inside");
});
