import { shim } from "../../ffi/shim.ts";
import type { KernelRings } from "../linux/xdp_socket.ts";
import { DESCRIPTOR } from "../memory/layout.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { MbufSource } from "../mempool/mbuf_source.ts";
import { Burst } from "../ring/burst.ts";
import { COUNTER, type Counters } from "./counters.ts";
import { XdpRing } from "./xdp_ring.ts";

/** Entries of each ring: as many mbufs may wait for frames, and as many frames for being sent. */
export const XDP_RING_SIZE = 2048;

/** Mbufs that are given to the kernel, or come back from sending, at a time. */
export const XDP_BATCH = 64;

/** Words of a descriptor and of an address in the kernel's rings, as shifts. */
const DESCRIPTOR_SHIFT = 2, ADDRESS_SHIFT = 1;

/** Of a descriptor there: two words of address, the length; the options are 0. */
const LENGTH = 2, OPTIONS = 3;

/** The address of an mbuf has the data offset in its 16 highest bits (unaligned chunks). */
const OFFSET_SHIFT = 16;

/** What a port knows of an mbuf: whether the kernel has it. */
const OURS = 0, KERNELS = 1;

/** What the queues of a port work with, and share. */
export interface QueueResources {
  /** The region's mbufs, which are the chunks of the UMEM. */
  readonly mbufs: Mbufs;
  /** Where empty mbufs come from, and where those whose frames are sent go. */
  readonly mempool: MbufSource;
  /** Where mbuf 0 begins in the UMEM, in bytes. */
  readonly first: number;
  /** Of each mbuf, whether the kernel has it. Once all sockets are closed it has none. */
  readonly kernels: Uint8Array;
  /** Mbufs that the kernel is to have to receive into; as many it may have to send. */
  readonly room: number;
}

/** The room of each of the queues that share a port's room: whole batches, at least one. */
export function roomFor(room: number, queues: number): number {
  return Math.max(XDP_BATCH, Math.floor(room / queues / XDP_BATCH) * XDP_BATCH);
}

/** An mbuf on its way back. */
const one = Burst.of(1);

/** Free all mbufs that the kernel has. The sockets must have been closed. */
export function takeBack({ kernels, mempool }: Omit<QueueResources, "room">): void {
  kernels.forEach((state, index) => {
    if (state === OURS) return;
    one.words[0] = index;
    mempool.free(one, 1);
  });
  kernels.fill(OURS);
}

/**
 * An AF_XDP socket and its rings: a port's end of one queue of its interface.
 *
 * The rings lie in the kernel's memory, which no guest sees: what comes out of them is believed.
 * What goes in comes from private copies that the ledger has checked. All four have as many slots
 * as there are mbufs for them, so that there is always room.
 */
export class XdpQueue {
  readonly #rings: KernelRings;
  readonly #rx: XdpRing;
  readonly #fill: XdpRing;
  readonly #tx: XdpRing;
  readonly #completion: XdpRing;
  readonly #resources: QueueResources;
  readonly #mbufsPerByte: number;
  readonly #batch = Burst.of(XDP_BATCH);
  /** Whether there were too few mbufs for the kernel. The reader sets it to false. */
  wasStarved = false;
  /** Mbufs that the kernel has to receive into. */
  #filled = 0;
  /** Mbufs of frames that are in the tx ring, or being sent. */
  #sending = 0;
  /** By entry of the tx ring, the bytes that are counted once it is sent; 0: it is not counted. */
  readonly #bytes = new Uint32Array(XDP_RING_SIZE);
  /** Positions in the tx ring: up to which frames are counted, and up to which they are taken. */
  #counted = 0;
  #taken = 0;
  /** Lost frames behind {@linkcode #counted}: the kernel has not told that it took them. */
  #untold = 0;

  /**
   * Take over a socket that is not bound yet, and have mbufs ready for its first frames.
   *
   * @param rings The socket's, of {@linkcode XDP_RING_SIZE}.
   */
  constructor(readonly fd: number, rings: KernelRings, resources: QueueResources) {
    this.#rings = rings;
    this.#rx = new XdpRing(rings.rx);
    this.#fill = new XdpRing(rings.fill);
    this.#tx = new XdpRing(rings.tx);
    this.#completion = new XdpRing(rings.completion);
    this.#resources = resources;
    this.#mbufsPerByte = 1 / resources.mbufs.stride;
    this.refill();
  }

  /** Whether frames are being sent whose mbufs have not come back. */
  get isSending(): boolean {
    return this.#sending > 0;
  }

  /** Frames in the tx ring that the kernel has not taken. */
  get unsent(): number {
    return this.#tx.position - this.#counted | 0;
  }

  /** Frames in the tx ring that the kernel has not taken, and that would be counted. */
  get uncounted(): number {
    let frames = 0;
    for (let at = this.#counted; at !== this.#tx.position; at = at + 1 | 0) {
      if (this.#bytes[at & this.#tx.mask] > 0) frames++;
    }
    return frames;
  }

  /** Receive up to `max` frames as descriptors of `burst`, from number `at` on: how many. */
  receive(burst: Burst, max: number, at: number): number {
    const n = this.#rx.available(max);
    if (n > 0) this.#take(burst, n, at);
    if (this.#resources.room - this.#filled >= XDP_BATCH) this.refill();
    return n;
  }

  /** Give the kernel mbufs to receive into, as far as there are any. */
  refill(): void {
    const { room } = this.#resources;
    let n = XDP_BATCH;
    while (n === XDP_BATCH && room - this.#filled >= XDP_BATCH) n = this.#fillBatch();
    if (n < XDP_BATCH) this.wasStarved = true;
    if (this.#fill.needsWakeup) shim.shim_discard(this.fd, 1);
  }

  /**
   * Put up to `count` frames of `burst`, from number `at` on, into the tx ring.
   *
   * @returns how many there was room for.
   */
  post(burst: Burst, count: number, at: number): number {
    if (this.#sending > 0) this.reap();
    const room = this.#resources.room - this.#sending;
    const n = count < room ? count : room;
    if (n > 0) this.#write(burst, n, at);
    return n;
  }

  /** Do not count the last `frames` that were put there: they are segments of one. */
  hideLast(frames: number): void {
    const { position, mask } = this.#tx;
    for (let i = 1; i <= frames; i++) this.#bytes[position - i & mask] = 0;
  }

  /**
   * Have the kernel send what is in the tx ring, if it does not look by itself.
   *
   * @returns 0 or -errno.
   */
  kick(): number {
    const result = this.#tx.needsWakeup ? shim.shim_xdp_kick(this.fd) : 0;
    this.#taken = this.#tx.consumed;
    return result;
  }

  /**
   * The kernel has dropped a frame, said so (EBUSY), and ended there: it is not to be counted as
   * sent.
   *
   * @returns the frame's bytes; 0 if it is not counted.
   */
  lose(): number {
    // The kernel tells that it has taken a frame only once it has sent one, or has no more.
    const isTold = this.#taken !== this.#counted;
    const position = isTold ? this.#taken - 1 : this.#counted + this.#untold++;
    const isCounted = this.#bytes[position & this.#tx.mask] > 0;
    this.#bytes[position & this.#tx.mask] = 0;
    return isCounted ? this.#tx.words[this.#entry(position) + LENGTH] : 0;
  }

  /** Count frames that the kernel has taken and sent; returns how many it has taken. */
  countSent(counters: Counters): number {
    const { mask } = this.#tx;
    const [start, end] = [this.#counted, this.#taken];
    if (start === end) return 0;
    let frames = 0, bytes = 0;
    for (let at = start; at !== end; at = at + 1 | 0) {
      const counted = this.#bytes[at & mask];
      if (counted > 0) frames++;
      bytes += counted;
    }
    this.#counted = end;
    this.#untold = 0;
    counters[COUNTER.TX] += frames;
    counters[COUNTER.TX_BYTES] += bytes;
    return end - start | 0;
  }

  /** Free the mbufs of frames that are sent. */
  reap(): void {
    let n;
    do {
      n = this.#completion.available(XDP_BATCH);
      if (n > 0) this.#freeSent(n);
    } while (n === XDP_BATCH);
  }

  /** Unmap the rings: they keep the socket open, even once its descriptor is closed. */
  unmap(): void {
    for (const { memory } of Object.values(this.#rings)) memory.close();
  }

  #take(burst: Burst, n: number, at: number): void {
    const { first, kernels, mbufs: { stride } } = this.#resources;
    const { words, mask, first: start, position } = this.#rx;
    const to = burst.words;
    const mbufsPerByte = this.#mbufsPerByte;
    let t = at << 1;
    for (let i = 0; i < n; i++) {
      const entry = start + ((position + i & mask) << DESCRIPTOR_SHIFT);
      const byte = words[entry] - first;
      const index = (byte + 0.5) * mbufsPerByte | 0;
      const offset = words[entry + 1] >>> OFFSET_SHIFT;
      kernels[index] = OURS;
      to[t] = index;
      to[t + 1] = byte - index * stride + offset | words[entry + LENGTH] << 16;
      t += 2;
    }
    this.#rx.release(n);
    this.#filled -= n;
  }

  #fillBatch(): number {
    const { first, kernels, mempool, mbufs: { stride } } = this.#resources;
    const from = this.#batch.words;
    const { words, mask, first: start, position } = this.#fill;
    const n = mempool.allocBurst(this.#batch, XDP_BATCH);
    for (let i = 0; i < n; i++) {
      const entry = start + ((position + i & mask) << ADDRESS_SHIFT);
      const index = from[i << 1];
      kernels[index] = KERNELS;
      words[entry] = first + index * stride;
      words[entry + 1] = 0;
    }
    this.#fill.publish(n);
    this.#filled += n;
    return n;
  }

  #write(burst: Burst, n: number, at: number): void {
    const { first, kernels, mbufs: { stride } } = this.#resources;
    const from = burst.words;
    const { words, mask, position } = this.#tx;
    const bytes = this.#bytes;
    let f = at << 1;
    for (let i = 0; i < n; i++) {
      const entry = this.#entry(position + i);
      const index = from[f] & DESCRIPTOR.INDEX_MASK;
      const data = from[f + 1];
      kernels[index] = KERNELS;
      words[entry] = first + index * stride;
      words[entry + 1] = data << OFFSET_SHIFT;
      words[entry + LENGTH] = bytes[position + i & mask] = data >>> 16;
      words[entry + OPTIONS] = 0;
      f += 2;
    }
    this.#tx.publish(n);
    this.#sending += n;
  }

  #freeSent(n: number): void {
    const { first, kernels, mempool } = this.#resources;
    const to = this.#batch.words;
    const { words, mask, first: start, position } = this.#completion;
    for (let i = 0; i < n; i++) {
      const entry = start + ((position + i & mask) << ADDRESS_SHIFT);
      const index = (words[entry] - first + 0.5) * this.#mbufsPerByte | 0;
      kernels[index] = OURS;
      to[i << 1] = index;
    }
    this.#completion.release(n);
    this.#sending -= n;
    mempool.free(this.#batch, n);
  }

  #entry(position: number): number {
    const { first, mask } = this.#tx;
    return first + ((position & mask) << DESCRIPTOR_SHIFT);
  }
}
