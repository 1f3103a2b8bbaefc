import type { KernelRing } from "../linux/xdp_socket.ts";

/** XDP_RING_NEED_WAKEUP: the kernel looks at the ring only if it is asked to. */
const NEED_WAKEUP = 1;

/**
 * Our end of a ring that an AF_XDP socket shares with the kernel. To the fill ring and the tx ring
 * we {@linkcode publish}, and there is always room; from the rx ring and the completion ring we
 * take what is {@linkcode available}.
 *
 * Positions are free-running and kept as int32; entry `position & mask` is at
 * `first + (position & mask) * width` of `words`. The kernel's end orders as ours does: by
 * `smp_load_acquire()` and `smp_store_release()` in net/xdp/xsk_queue.h.
 */
export class XdpRing {
  /** The ring's memory. */
  readonly words: Uint32Array<SharedArrayBuffer>;
  /** Entries less one. */
  readonly mask: number;
  /** The word at which entry 0 begins. */
  readonly first: number;
  /** Our position: that of the next entry. */
  position = 0;
  /** The kernel's position when we last loaded it, in a ring from which we take. */
  #theirs = 0;
  readonly #ring: KernelRing;

  /** The end of a new ring, whose positions are 0. */
  constructor(ring: KernelRing) {
    this.#ring = ring;
    this.words = ring.memory.u32;
    this.mask = ring.size - 1;
    this.first = ring.entries;
  }

  /** Whether the kernel wants to be told that we have moved. */
  get needsWakeup(): boolean {
    return (this.words[this.#ring.flags] & NEED_WAKEUP) !== 0;
  }

  /** How far the kernel has taken what we added. */
  get consumed(): number {
    // Pairs with the kernel's release: it has read the entries before.
    return this.#ring.memory.load(this.#ring.consumer) | 0;
  }

  /** Let the kernel see `n` entries that were written from {@linkcode position} on. */
  publish(n: number): void {
    this.position = this.position + n | 0;
    // Pairs with the kernel's acquire: entries were written before.
    this.#ring.memory.store(this.#ring.producer, this.position >>> 0);
  }

  /** How many entries may be read now: `wanted`, or less if there are less. */
  available(wanted: number): number {
    let n = this.#theirs - this.position | 0;
    if (n < wanted) {
      // Pairs with the kernel's release: it has written the entries before.
      this.#theirs = this.#ring.memory.load(this.#ring.producer) | 0;
      n = this.#theirs - this.position | 0;
    }
    return n < wanted ? n : wanted;
  }

  /** Give `n` entries from {@linkcode position} on, which were read, back to the kernel. */
  release(n: number): void {
    this.position = this.position + n | 0;
    this.#ring.memory.store(this.#ring.consumer, this.position >>> 0);
  }
}
