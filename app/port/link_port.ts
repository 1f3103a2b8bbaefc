import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR } from "../memory/layout.ts";
import { Burst, BURST_MAX, checkBurst } from "../ring/burst.ts";
import { COUNTER } from "./counters.ts";
import type { PortResources } from "./kernel_port.ts";
import type { HostPort } from "./port.ts";

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
 * Both ends belong to one lcore, so that nothing here is shared between threads.
 */
export class LinkPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #resources: PortResources;
  /** What was sent here and waits for the other end: a FIFO with free-running positions. */
  readonly #waiting: Uint32Array = new Uint32Array(LINK_SIZE * DESCRIPTOR.WORDS);
  readonly #sources: Burst = Burst.of(LINK_SIZE);
  #producer = 0;
  #consumer = 0;
  #other?: LinkPort;

  /** An end that is joined to nothing yet: it receives nothing, and takes what fits. */
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
    if (other === undefined || other.#producer === other.#consumer) return 0;
    const isSame = other.#resources.mbufs === this.#resources.mbufs;
    return isSame ? this.#take(other, burst, max, at) : this.#copy(other, burst, max, at);
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

  /** Free what was sent at this end, and the other has not received. */
  letGo(): void {
    if (this.#other !== undefined) this.#other.#dropAll();
  }

  /** Free what was sent to this end and not received. The other end closes its own. */
  close(): void {
    this.#dropAll();
  }

  /** Take up to `max` of the frames that were sent at the other end, and count them as received. */
  #take(other: LinkPort, burst: Burst, max: number, at: number): number {
    const [waiting, words] = [other.#waiting, burst.words];
    const used = other.#producer - other.#consumer | 0;
    const n = max < used ? max : used;
    let bytes = 0;
    for (let i = 0; i < n; i++) {
      const slot = (other.#consumer + i & SLOT_MASK) << 1;
      const word1 = waiting[slot + 1];
      words[at + i << 1] = waiting[slot];
      words[(at + i << 1) + 1] = word1;
      bytes += word1 >>> 16;
    }
    other.#consumer = other.#consumer + n | 0;
    this.#resources.counters[COUNTER.RX] += n;
    this.#resources.counters[COUNTER.RX_BYTES] += bytes;
    return n;
  }

  /**
   * As {@linkcode #take}, into mbufs of this end's region. What finds no mbuf is dropped: frames
   * that waited for one would hold the other region's. A frame that our mbufs are too small for
   * ends the burst; one host gives all its regions the same frame limit, so that there is none.
   */
  #copy(other: LinkPort, burst: Burst, max: number, at: number): number {
    const { mbufs, mempool, counters } = this.#resources;
    const sources = this.#sources;
    const from = other.#resources;
    const taken = this.#take(other, sources, max < LINK_SIZE ? max : LINK_SIZE, 0);
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

  #dropAll(): void {
    const other = this.#other;
    if (other === undefined) return;
    const n = this.#take(other, this.#sources, LINK_SIZE, 0);
    other.#resources.mempool.free(this.#sources, n);
    this.#resources.counters[COUNTER.STOPPED] += n;
  }
}

/**
 * Join the ends of links among an lcore's ports: those of one name.
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
