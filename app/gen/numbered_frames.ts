import { HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import { Burst } from "../ring/burst.ts";
import { SIZE_MIN, type Sizes, SIZES_MAX } from "./gen_options.ts";

/**
 * A numbered frame: UDP in IPv4, between the networks that RFC 2544 has for benchmarks. Word 0 of
 * its payload is the trial's id, word 1 the number, words 2 and 3 the time when it was sent.
 */
const HEADERS_BYTES = 42;
const WORDS = { ID: 0, NUMBER: 1, TIME_LOW: 2, TIME_HIGH: 3 } as const;

/** Where frames begin in their mbufs: so that the words lie at multiples of four bytes. */
const OFFSET = HEADROOM_BYTES - 2;

/** Most mbufs with frames to be sent: they hold as many whole patterns of sizes as have room. */
const FRAMES_MAX: number = SIZES_MAX;

/** Frames that are sent at a time. */
export const SEND_BURST = 32;

const TYPE_IPV4 = 0x0008, TYPE_VLAN = 0x0081, TYPE_SERVICE = 0xa888; // as read, little-endian

/** Mbufs that {@linkcode NumberedFrames} needs. */
export const MBUFS: number = FRAMES_MAX;

/** The frames that a generator sends: made once, and numbered each time. */
export class NumberedFrames {
  /** Descriptors of all frames, and of the first ones once more, so that no burst wraps. */
  readonly burst: Burst;
  readonly #mbufs: Mbufs;
  readonly #first: number;
  readonly #count: number;
  #at = 0;

  /**
   * Make the frames.
   *
   * @param first The first of {@linkcode MBUFS} mbufs that are ours.
   * @param sizes In the order in which they are sent.
   * @param addresses Their destination and source MAC addresses.
   */
  constructor(
    mbufs: Mbufs,
    first: number,
    sizes: Sizes,
    addresses: { readonly to: Uint8Array; readonly from: Uint8Array },
  ) {
    this.#mbufs = mbufs;
    this.#first = first;
    const count = this.#count = FRAMES_MAX - FRAMES_MAX % sizes.length;
    this.burst = Burst.of(count + SEND_BURST);
    for (let i = 0; i < this.burst.capacity; i++) {
      const bytes = sizes[i % sizes.length];
      this.burst.words[2 * i] = first + i % count;
      this.burst.words[2 * i + 1] = dataWord(OFFSET, bytes);
      if (i < count) mbufs.u8.set(frameOf(bytes, addresses), this.#byte(i));
    }
  }

  /** Where the next frame is in the burst. */
  get at(): number {
    return this.#at;
  }

  /** Number the next frames. */
  number(count: number, id: number, number: number, time: number): void {
    const { u32 } = this.#mbufs;
    const [low, high] = [time % 2 ** 32 >>> 0, time / 2 ** 32 >>> 0];
    for (let i = 0; i < count; i++) {
      const word = (this.#byte((this.#at + i) % this.#count) + HEADERS_BYTES) >>> 2;
      u32[word + WORDS.ID] = id;
      u32[word + WORDS.NUMBER] = number + i;
      u32[word + WORDS.TIME_LOW] = low;
      u32[word + WORDS.TIME_HIGH] = high;
    }
  }

  /** Take note that the next `count` frames were sent; returns their bytes. */
  sent(count: number): number {
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += this.burst.words[2 * (this.#at + i) + 1] >>> 16;
    this.#at = (this.#at + count) % this.#count;
    return bytes;
  }

  #byte(frame: number): number {
    return this.#mbufs.offset + (this.#first + frame) * this.#mbufs.stride + OFFSET;
  }
}

/** What a numbered frame says; one object, used again and again. */
export interface Numbered {
  /** Its number. */
  number: number;
  /** When it was sent, by the clock in nanoseconds. */
  time: number;
}

/** Read a received frame into `found`; false if the frame is not of trial `id`. */
export function readNumbered(
  mbufs: Mbufs,
  word0: number,
  word1: number,
  id: number,
  found: Numbered,
): boolean {
  const { u16 } = mbufs;
  let at = mbufs.frameByte(word0, word1) >>> 1;
  let length = word1 >>> 16;
  for (let type; (type = u16[at + 6]) !== TYPE_IPV4; at += 2, length -= 4) {
    if (length < SIZE_MIN + 4 || type !== TYPE_VLAN && type !== TYPE_SERVICE) return false;
  }
  if (length < SIZE_MIN) return false;
  at += HEADERS_BYTES / 2;
  const word = (number: number) => (u16[at + 2 * number] | u16[at + 2 * number + 1] << 16) >>> 0;
  if (word(WORDS.ID) !== id) return false;
  found.number = word(WORDS.NUMBER);
  found.time = word(WORDS.TIME_HIGH) * 2 ** 32 + word(WORDS.TIME_LOW);
  return true;
}

/** Of RFC 2544, appendix C.2.2 and C.2.6.4: networks for tests, the port of the echo service. */
const SOURCE = 0xc6120001, DESTINATION = 0xc6130001, PORT_FROM = 49152, PORT_TO = 7;

function frameOf(
  bytes: number,
  { to, from }: { readonly to: Uint8Array; readonly from: Uint8Array },
): Uint8Array {
  const frame = new Uint8Array(bytes);
  const view = new DataView(frame.buffer);
  frame.set(to, 0);
  frame.set(from, 6);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, bytes - 14);
  view.setUint16(20, 0x4000); // don't fragment
  view.setUint16(22, 64 << 8 | 17);
  view.setUint32(26, SOURCE);
  view.setUint32(30, DESTINATION);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
  view.setUint16(24, ~(sum + (sum >>> 16)));
  view.setUint16(34, PORT_FROM);
  view.setUint16(36, PORT_TO);
  view.setUint16(38, bytes - 34);
  return frame;
}
