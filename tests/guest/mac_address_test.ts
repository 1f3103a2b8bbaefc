import { deepEqual, equal } from "node:assert/strict";
import {
  addressWords,
  formatMac,
  swapAddresses,
  writeAddresses,
} from "../../app/guest/mac_address.ts";
import { GuestLab, someFrame } from "./guest_lab.ts";
import { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import { Frames } from "../../app/guest/function/frames.ts";

const DESTINATION = Uint8Array.of(0x02, 0x80, 0xff, 0x00, 0x01, 0xfe);
const SOURCE = Uint8Array.of(0x52, 0x54, 0x9a, 0xbc, 0xde, 0xf0);

/** Frames of one burst at this headroom; `change` changes all of them, and no byte around. */
function check(
  headroom: number,
  change: (frames: FrameBurst) => void,
  expected: (frame: Uint8Array) => Uint8Array,
): void {
  using lab = new GuestLab();
  lab.mbufs.u8.fill(0xee, lab.mbufs.offset);
  const frames = [1, 2, 3].map((seed) => someFrame(60, seed));
  const burst = lab.burst(frames, headroom);
  burst.words[2] |= 0xff << 24; // flags are no part of the index
  const byte = lab.mbufs.frameByte(burst.words[2], burst.words[3]);
  const source = { allocTo: () => false, copyFrame: () => false };
  const all = new FrameBurst(new Frames(burst, lab.mbufs, 1522), lab.mbufs, [], source);
  all.show(frames.length);
  change(all);
  for (const [i, frame] of frames.entries()) deepEqual(lab.frame(burst, i), expected(frame));
  equal(lab.mbufs.u8[byte - 1], 0xee);
  equal(lab.mbufs.u8[byte + 60], 0xee);
}

for (const headroom of [0, 2, 124, 126, 128, 130]) {
  Deno.test(`writeAddresses() at ${headroom} bytes from an mbuf's start writes 12 bytes`, () => {
    check(
      headroom,
      (frames) => writeAddresses(frames, addressWords(DESTINATION, SOURCE)),
      (frame) => Uint8Array.of(...DESTINATION, ...SOURCE, ...frame.subarray(12)),
    );
  });

  Deno.test(`swapAddresses() at ${headroom} bytes from an mbuf's start swaps 6 bytes and 6`, () => {
    check(
      headroom,
      swapAddresses,
      (frame) =>
        Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12)),
    );
  });
}

Deno.test("formatMac() writes two digits a byte", () => {
  equal(formatMac(Uint8Array.of(2, 0, 0, 0, 0, 1)), "02:00:00:00:00:01");
  equal(formatMac(SOURCE), "52:54:9a:bc:de:f0");
});

Deno.test("addressWords() are the bytes of both addresses, in order", () => {
  const words = addressWords(DESTINATION, SOURCE);
  deepEqual([...new Uint8Array(words.buffer)], [...DESTINATION, ...SOURCE]);
});
