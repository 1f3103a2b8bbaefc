import { ok, strictEqual } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { SuperFrame } from "../../app/port/super_frame.ts";
import { Burst } from "../../app/ring/burst.ts";
import { frameOf, metadataOf, type Packet, segmentsOf } from "./packets.ts";

/** Bytes of an mbuf, with its headroom. */
export const STRIDE = 2368;
/** How many mbufs there are. */
export const COUNT = 64;
/** Bytes of a super-frame that fit behind its mbuf. */
export const OVERFLOW_BYTES = 1 << 18;
const SLOT = 2; // of the received burst, so that its overflow is not at 0

/** Memory of all mbufs, {@linkcode COUNT} of {@linkcode STRIDE} bytes. */
export const memory = MappedMemory.ofProcess(COUNT * STRIDE);
const mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: COUNT });
/** The mbufs that are free. */
export const mempool = Mempool.create(COUNT, 0);
const room = MappedMemory.ofProcess((SLOT + 1) * OVERFLOW_BYTES);
const overflow = room.u8;

/** A super-frame received into slot SLOT of a burst. At its end no mbuf may be missing. */
export class Received {
  readonly superFrame = new SuperFrame(mbufs, room, OVERFLOW_BYTES);
  readonly slots = Burst.of(SLOT + 1);
  readonly burst = Burst.of(COUNT);

  constructor(readonly frame: Uint8Array, mbufBytes = STRIDE - HEADROOM_BYTES) {
    mempool.allocBulk(this.slots, SLOT + 1);
    const length = Math.min(frame.length, mbufBytes);
    const word1 = this.slots.words[2 * SLOT + 1] = dataWord(HEADROOM_BYTES, length);
    memory.u8.fill(0xee);
    memory.u8.set(frame.subarray(0, length), mbufs.frameByte(this.slots.words[2 * SLOT], word1));
    overflow.fill(0xdd, SLOT * OVERFLOW_BYTES);
    overflow.set(frame.subarray(length, length + OVERFLOW_BYTES), SLOT * OVERFLOW_BYTES);
  }

  [Symbol.dispose](): void {
    mempool.free(this.slots, SLOT + 1);
    strictEqual(mempool.available, COUNT);
  }

  begin(meta: { offload: number; checksum: number }, length = this.frame.length): boolean {
    const { words } = this.slots;
    const [word0, word1] = [words[2 * SLOT], words[2 * SLOT + 1]];
    const { offload, checksum } = meta;
    return this.superFrame.begin(word0, word1, length, offload, checksum, SLOT * OVERFLOW_BYTES);
  }

  /** The first byte of the frame in {@linkcode memory}. */
  get start(): number {
    return mbufs.frameByte(this.slots.words[2 * SLOT], this.slots.words[2 * SLOT + 1]);
  }

  /** The next segment's bytes, copied out and its mbuf freed; undefined if there is none. */
  take(): Uint8Array | undefined {
    if (!this.superFrame.next(this.burst, 1, mempool)) return undefined;
    const start = mbufs.frameByte(this.burst.words[2], this.burst.words[3]);
    const bytes = memory.u8.slice(start, start + (this.burst.words[3] >>> 16));
    strictEqual(this.burst.words[3] & 0xffff, HEADROOM_BYTES);
    mempool.free(this.burst, 1, 1);
    return new Uint8Array(bytes);
  }

  /** Assert that these segments come, and no more. */
  yields(segments: readonly Uint8Array[]): void {
    for (const [i, segment] of segments.entries()) {
      strictEqual(this.superFrame.pending, segments.length - i);
      strictEqual(hex(this.take()), hex(segment), `segment ${i} of ${segments.length}`);
    }
    strictEqual(this.superFrame.pending, 0);
    strictEqual(this.take(), undefined);
  }
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes ? bytes.toHex() : "none";
}

/** Assert that a super-frame is cut into the segments that a NIC would send for `wanted`. */
export function checkSegments(
  packet: Packet,
  size: number,
  room?: number,
  wanted: Packet = packet,
): void {
  using received = new Received(frameOf(packet, false), room);
  const segments = segmentsOf(wanted, size);
  ok(received.begin(metadataOf(packet, size)), "understood");
  strictEqual(received.superFrame.segmentBytes, segments[0].length);
  received.yields(segments);
}
