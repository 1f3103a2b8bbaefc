import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG, HEADROOM_BYTES } from "../memory/layout.ts";
import { Burst, BURST_MAX, checkBurst } from "../ring/burst.ts";
import { COUNTER, countFrames } from "./counters.ts";
import type { PortResources } from "./port_resources.ts";
import { OffloadHeader, wordOf } from "./offload_header.ts";
import type { HostPort } from "./port.ts";
import { SuperFrame } from "./super_frame.ts";

/** Frames that fit into each direction of a link; a power of two. */
const LINK_SIZE: number = BURST_MAX;
const SLOT_MASK = LINK_SIZE - 1;

/**
 * One end of a link: what is sent here is received at the other end (Snabb `lib/interlink.lua`,
 * within one lcore). So frames go from guest to guest.
 *
 * Where both ends work with one region's mbufs, descriptors are handed over. Where they do not, the
 * end that receives copies the frames into mbufs of its own region, one shim call a burst: that
 * copy is what isolates the guests of two regions from each other.
 *
 * A super-frame passes whole, between regions as a copy with a header that was checked, or is cut
 * if the receiver does not take it.
 *
 * Both ends belong to one lcore, so that nothing here is shared between threads.
 */
export class LinkPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  passesWhole = false;
  readonly #resources: PortResources;
  /** What was sent here and waits for the other end: a FIFO with free-running positions. */
  readonly #waiting: Uint32Array = new Uint32Array(LINK_SIZE * DESCRIPTOR.WORDS);
  readonly #sources: Burst = Burst.of(LINK_SIZE);
  #producer = 0;
  #consumer = 0;
  #other?: LinkPort;
  /** The super-frame that this end is cutting, and its descriptor. */
  #superFrame?: SuperFrame;
  readonly #cutting: Burst = Burst.of(1);
  readonly #header = new OffloadHeader();

  /** An end that is not joined yet: it receives nothing, and takes frames as long as they fit. */
  constructor(readonly name: string, resources: PortResources) {
    this.#resources = resources;
  }

  /** Make this and `other` the two ends of one link. */
  join(other: LinkPort): void {
    this.#other = other;
    other.#other = this;
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, max, at);
    const other = this.#other;
    if (other === undefined || max === 0) return 0;
    const isSame = other.#resources.mbufs === this.#resources.mbufs;
    while (this.#isCutting || other.#producer !== other.#consumer) {
      const n = this.#isCutting
        ? this.#cut(other, burst, max, at)
        : other.#nextIsSuper && !(isSame && this.passesWhole)
        ? this.#takeSuper(other, burst, at)
        : isSame
        ? this.#take(other, burst, max, at, !this.passesWhole)
        : this.#copy(other, burst, max, at);
      if (n > 0) return n; // else the first one was dropped, or is to be cut
    }
    return 0;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, count, at);
    const [waiting, words] = [this.#waiting, burst.words];
    const room = LINK_SIZE - (this.#producer - this.#consumer | 0);
    const n = count < room ? count : room;
    let bytes = 0;
    for (let i = 0; i < n; i++) {
      const slot = (this.#producer + i & SLOT_MASK) << 1;
      const word1 = words[(at + i << 1) + 1];
      waiting[slot] = words[at + i << 1];
      waiting[slot + 1] = word1;
      bytes += word1 >>> 16;
    }
    this.#producer = this.#producer + n | 0;
    this.#resources.counters[COUNTER.TX] += n;
    this.#resources.counters[COUNTER.TX_BYTES] += bytes;
    return n;
  }

  refresh(): void {}

  /** Free frames that were sent at this end, and that the other end has not received. */
  letGo(): void {
    if (this.#other !== undefined) this.#other.#dropAll();
  }

  /** Free frames that were sent to this end and not received. The other end frees its own. */
  close(): void {
    this.#dropAll();
  }

  /** Mbufs that were sent at this end, and that the other has not received or is cutting. */
  get held(): number {
    const other = this.#other;
    const cutting = other !== undefined && other.#isCutting ? 1 : 0;
    return (this.#producer - this.#consumer | 0) + cutting;
  }

  /** Whether the next frame that was sent here is a super-frame. */
  get #nextIsSuper(): boolean {
    const slot = (this.#consumer & SLOT_MASK) << 1;
    return (this.#waiting[slot] & DESCRIPTOR_FLAG.SUPER) !== 0;
  }

  get #isCutting(): boolean {
    return this.#superFrame !== undefined && this.#superFrame.pending > 0;
  }

  /**
   * Take up to `max` of the frames that were sent at the other end, and count them as received.
   *
   * @param onlyPlain Whether to stop in front of a super-frame.
   */
  #take(other: LinkPort, burst: Burst, max: number, at: number, onlyPlain: boolean): number {
    const [waiting, words] = [other.#waiting, burst.words];
    const used = other.#producer - other.#consumer | 0;
    const most = max < used ? max : used;
    const stop = onlyPlain ? DESCRIPTOR_FLAG.SUPER : 0;
    let bytes = 0;
    let n = 0;
    for (; n < most; n++) {
      const slot = (other.#consumer + n & SLOT_MASK) << 1;
      const word1 = waiting[slot + 1];
      if ((waiting[slot] & stop) !== 0) break;
      words[at + n << 1] = waiting[slot];
      words[(at + n << 1) + 1] = word1;
      bytes += word1 >>> 16;
    }
    other.#consumer = other.#consumer + n | 0;
    this.#resources.counters[COUNTER.RX] += n;
    this.#resources.counters[COUNTER.RX_BYTES] += bytes;
    return n;
  }

  /**
   * As {@linkcode #take}, into mbufs of this end's region. Frames for which no mbuf is free are
   * dropped: if they waited for one, they would hold mbufs of the other region. A frame that our
   * mbufs are too small for would end the burst; but one host gives all its regions the same frame
   * limit, so that there is none.
   */
  #copy(other: LinkPort, burst: Burst, max: number, at: number): number {
    const { mbufs, mempool, counters } = this.#resources;
    const sources = this.#sources;
    const from = other.#resources;
    const taken = this.#take(other, sources, max < LINK_SIZE ? max : LINK_SIZE, 0, true);
    const n = mempool.allocBurst(burst, taken, at);
    const copied = shim.shim_frames_copy(
      from.mbufs.map | mbufs.map << 16,
      sources.map | burst.map << 16,
      sources.word,
      burst.word + (at << 1),
      n,
    );
    mempool.free(burst, n - copied, at + copied);
    from.mempool.free(sources, taken);
    counters[COUNTER.NO_MBUF] += taken - n;
    counters[COUNTER.OVERSIZE] += n - copied;
    return copied;
  }

  /**
   * Take the super-frame that is next: 1 if it was copied whole into an mbuf of our region; 0 if it
   * was dropped, or is now to be cut.
   */
  #takeSuper(other: LinkPort, burst: Burst, at: number): number {
    const { mbufs, counters, frameMax } = this.#resources;
    const source = other.#resources.mbufs;
    const parts = this.#superFrame ??= new SuperFrame(source, undefined, 0, mbufs);
    const { words } = this.#cutting;
    const slot = (other.#consumer & SLOT_MASK) << 1;
    const word0 = words[0] = other.#waiting[slot];
    const word1 = words[1] = other.#waiting[slot + 1];
    other.#consumer = other.#consumer + 1 | 0;
    const header = this.#header;
    header.read(source, word0);
    if (!parts.begin(word0, word1, word1 >>> 16, header.offload, header.checksum)) {
      return this.#drop(other, parts.isTunnel ? COUNTER.TUNNEL : COUNTER.OFFLOAD, 1);
    }
    const isShort = parts.segmentBytes <= frameMax;
    if (isShort && this.passesWhole && parts.mayPass() && this.#copyWhole(other, burst, at)) {
      counters[COUNTER.RX]++;
      counters[COUNTER.RX_BYTES] += word1 >>> 16;
      return 1;
    }
    counters[COUNTER.LINK_CUT] += parts.pending - 1;
    return isShort ? 0 : this.#drop(other, COUNTER.OVERSIZE, parts.pending);
  }

  /** Copy the super-frame into an mbuf of our region; false if none is free. */
  #copyWhole(other: LinkPort, burst: Burst, at: number): boolean {
    const { mbufs, mempool } = this.#resources;
    const from = other.#resources;
    const parts = this.#superFrame!;
    const cutting = this.#cutting;
    const isShort = cutting.words[1] >>> 16 <= mbufs.stride - HEADROOM_BYTES;
    const pool = isShort ? mempool : mempool.long;
    if (pool === undefined || pool.allocBulk(burst, 1, at) === 0) return false;
    parts.completePartial();
    const [maps, bursts] = [from.mbufs.map | mbufs.map << 16, cutting.map | burst.map << 16];
    shim.shim_frames_copy(maps, bursts, cutting.word, burst.word + (at << 1), 1);
    parts.headerTo(mbufs.u32, wordOf(mbufs, burst.words[at << 1]));
    burst.words[at << 1] |= DESCRIPTOR_FLAG.SUPER;
    from.mempool.free(cutting, 1);
    parts.pending = 0;
    return true;
  }

  /**
   * Cut the super-frame into up to `max` frames; returns how many. Without a free mbuf the rest is
   * dropped.
   */
  #cut(other: LinkPort, burst: Burst, max: number, at: number): number {
    const { mempool, counters } = this.#resources;
    const parts = this.#superFrame!;
    let n = 0;
    while (n < max && parts.next(burst, at + n, mempool)) n++;
    countFrames(counters, COUNTER.RX, burst, n, at);
    if (n < max && parts.pending > 0) this.#drop(other, COUNTER.NO_MBUF, parts.pending);
    else if (parts.pending === 0) other.#resources.mempool.free(this.#cutting, 1);
    return n;
  }

  /** Drop the super-frame that was taken, which counts as `frames`. */
  #drop(other: LinkPort, reason: number, frames: number): 0 {
    this.#resources.counters[COUNTER.RX] += frames;
    this.#resources.counters[reason] += frames;
    other.#resources.mempool.free(this.#cutting, 1);
    if (this.#superFrame) this.#superFrame.pending = 0;
    return 0;
  }

  #dropAll(): void {
    const other = this.#other;
    if (other === undefined) return;
    if (this.#isCutting) this.#drop(other, COUNTER.STOPPED, this.#superFrame!.pending);
    const n = this.#take(other, this.#sources, LINK_SIZE, 0, false);
    other.#resources.mempool.free(this.#sources, n);
    this.#resources.counters[COUNTER.STOPPED] += n;
  }
}

/**
 * Join the two ends of each link among an lcore's ports: both have the link's name.
 *
 * @param ports Each link with both its ends.
 */
export function joinLinks(ports: readonly HostPort[]): void {
  const single = new Map<string, LinkPort>();
  for (const port of ports) {
    if (!(port instanceof LinkPort)) continue;
    const other = single.get(port.name);
    if (other === undefined) single.set(port.name, port);
    else port.join(other);
  }
}
