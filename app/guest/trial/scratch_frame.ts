import { HEADROOM_BYTES } from "../../memory/layout.ts";
import { dataWord, Mbufs } from "../../mempool/mbuf.ts";
import { Burst } from "../../ring/burst.ts";
import { Frames } from "../function/frames.ts";
import { FrameBurst } from "../function/frame_burst.ts";

/** Addresses of an Ethernet header, as `00:00:5e:00:53:01`. */
export interface Addresses {
  /** The destination: 00:00:5e:00:53:02 by default. */
  readonly destination?: string;
  /** The source: 00:00:5e:00:53:01 by default. */
  readonly source?: string;
}

/** What every frame has. */
export interface FrameFields extends Addresses {
  /** What comes behind the last header. */
  readonly payload?: Uint8Array;
}

/** Most bytes that a frame may have. */
const FRAME_BYTES_MAX = 65_535;

const BYTES = HEADROOM_BYTES + FRAME_BYTES_MAX + 1;
const buffer = new SharedArrayBuffer(BYTES);
const memory = { u32: new Uint32Array(buffer), u8: new Uint8Array(buffer), map: -1, bytes: BYTES };
const mbufs = new Mbufs(memory, { offset: 0, stride: BYTES, count: 1 }, false);
const words = Burst.of(1);
const frames = new Frames(words, mbufs, FRAME_BYTES_MAX);
const noSource = { allocTo: () => false, copyFrame: () => false };

/** A frame of zeros to be filled, in the one mbuf that there is for that: one at a time. */
export class ScratchFrame {
  /** It is frame 0 in here. */
  readonly burst: FrameBurst = new FrameBurst(frames, mbufs, [], noSource);

  /**
   * A frame of zeros.
   *
   * @throws {RangeError} if it is too long.
   */
  constructor(bytes: number) {
    if (bytes > FRAME_BYTES_MAX) {
      throw new RangeError(`Cannot make a frame of ${bytes} bytes: ${FRAME_BYTES_MAX} is the most`);
    }
    memory.u8.fill(0);
    words.words.set([0, dataWord(HEADROOM_BYTES, bytes)]);
    frames.begin(1);
    this.burst.show(1);
  }

  /** A copy of its bytes. */
  get bytes(): Uint8Array {
    return this.burst.bytes(0).slice();
  }

  /** Set the bytes from offset `at` on. */
  put(at: number, bytes: Uint8Array): this {
    this.burst.bytes(0).set(bytes, at);
    return this;
  }
}

/**
 * A MAC address as 6 bytes.
 *
 * @throws {TypeError} if it is none.
 */
export function macBytes(text: string): Uint8Array {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text)) {
    throw new TypeError(`Cannot use "${text}" as a MAC address: write 00:00:5e:00:53:01`);
  }
  return Uint8Array.from(text.split(":"), (byte) => parseInt(byte, 16));
}
