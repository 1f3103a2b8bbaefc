import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { DESCRIPTOR_FLAG } from "../memory/layout.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { MbufSource } from "../mempool/mbuf_source.ts";
import { Burst, BURST_MAX } from "../ring/burst.ts";
import { COUNTER } from "./counters.ts";
import { HEADER_WORDS, OffloadHeader } from "./offload_header.ts";
import type { PortResources } from "./port_resources.ts";
import { SuperFrame } from "./super_frame.ts";

/** Segments of a super-frame that are sent at a time. */
const SEGMENTS = 32;

/**
 * Segments that are cut of one burst: so many a frame, and at least so many. 64 KiB make 45 of the
 * usual MTU. A guest could have us cut each of its frames into 750, while all others wait.
 */
const FRAME_SEGMENTS = 64, BURST_SEGMENTS_MIN = 2048;

/** Sends the segments of a super-frame that has to be cut: see {@linkcode WholeFrames.cut}. */
export interface SegmentSender {
  /**
   * Send the first `count` frames, plain ones, and free them: 0, or the errno of one that was
   * refused.
   */
  (burst: Burst, count: number): number;
}

/** Whether there is a super-frame among frames `at` to `at + count - 1`. */
export function hasSuperFrame({ words }: Burst, count: number, at: number): boolean {
  let flags = 0;
  for (let i = at << 1, end = (at + count) << 1; i < end; i += 2) flags |= words[i];
  return (flags & DESCRIPTOR_FLAG.SUPER) !== 0;
}

/**
 * The super-frames that a port sends. The offload header of each is read once, checked against the
 * packet, and made anew in private memory: only that is shown to the kernel. What the kernel, or
 * the interface, does not take whole is cut.
 */
export class WholeFrames {
  /** The reason for which the last super-frame was dropped: one of {@linkcode COUNTER}. */
  reason: number = COUNTER.OFFLOAD;
  readonly #mbufs: Mbufs;
  readonly #mempool: MbufSource;
  readonly #frameMax: number;
  readonly #superFrame: SuperFrame;
  readonly #header = new OffloadHeader();
  /** Segments that may still be cut of this burst. */
  #left = 0;
  readonly #segments: Burst = Burst.of(SEGMENTS);
  readonly #memory = MappedMemory.ofProcess(BURST_MAX * HEADER_WORDS * 4);

  /** Nothing is taken from the mempool before something is to be cut. */
  constructor({ mbufs, mempool, frameMax }: PortResources) {
    this.#mbufs = mbufs;
    this.#frameMax = frameMax;
    this.#mempool = mempool;
    this.#superFrame = new SuperFrame(mbufs);
  }

  /** A burst of `count` frames is about to be sent. */
  start(count: number): void {
    this.#left = Math.max(BURST_SEGMENTS_MIN, count * FRAME_SEGMENTS);
  }

  /**
   * What tells the shim where the headers are that {@linkcode prepare} has made, from number `from`
   * on.
   */
  headers(from: number): number {
    return this.#memory.map | from << 16;
  }

  /**
   * Make the headers of frames from `at` on, until one comes that cannot be sent whole.
   *
   * @param mtu Bytes that a segment's packet may have.
   * @returns of how many frames: `count` or fewer.
   */
  prepare({ words }: Burst, count: number, at: number, mtu: number): number {
    const headers = this.#memory.u32;
    const most = count < BURST_MAX ? count : BURST_MAX;
    for (let i = 0; i < most; i++) {
      const from = (at + i) << 1;
      const to = i * HEADER_WORDS;
      if ((words[from] & DESCRIPTOR_FLAG.SUPER) === 0) {
        headers[to] = headers[to + 1] = headers[to + 2] = 0;
      } else if (this.#begin(words[from], words[from + 1]) && this.#fits(mtu)) {
        this.#superFrame.headerTo(headers, to);
        this.#superFrame.completePartial();
      } else return i;
    }
    return most;
  }

  /**
   * Cut a super-frame and send its segments. It stays with the caller.
   *
   * @returns 0 if all of them were sent; else the errno of one that was refused, or -1 if the
   * reason is ours: then {@linkcode reason} tells which.
   */
  cut(word0: number, word1: number, send: SegmentSender): number {
    const parts = this.#superFrame;
    if (!this.#begin(word0, word1)) return -1;
    if (parts.pending > this.#left) {
      this.reason = COUNTER.TX_FULL;
      return -1;
    }
    this.#left -= parts.pending;
    while (parts.pending > 0) {
      let n = 0;
      while (n < SEGMENTS && parts.next(this.#segments, n, this.#mempool)) n++;
      const errno = n > 0 ? send(this.#segments, n) : -1;
      if (errno !== 0) {
        this.reason = COUNTER.NO_MBUF;
        return errno;
      }
    }
    return 0;
  }

  /** Give the memory beside the mbufs back. */
  close(): void {
    this.#memory.close();
  }

  #fits(mtu: number): boolean {
    return this.#superFrame.mayPass() && this.#superFrame.packetBytes <= mtu;
  }

  /** Whether a super-frame is understood, and its segments are within the frame limit. */
  #begin(word0: number, word1: number): boolean {
    const header = this.#header;
    const parts = this.#superFrame;
    header.read(this.#mbufs, word0);
    if (!parts.begin(word0, word1, word1 >>> 16, header.offload, header.checksum)) {
      this.reason = parts.isTunnel ? COUNTER.TUNNEL : COUNTER.OFFLOAD;
      return false;
    }
    this.reason = COUNTER.OVERSIZE;
    return parts.segmentBytes <= this.#frameMax;
  }
}
