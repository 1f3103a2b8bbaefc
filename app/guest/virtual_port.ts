import type { Channel } from "../channel/channel.ts";
import type { Doorbell } from "../channel/sleep_flag.ts";
import { shim } from "../../ffi/shim.ts";
import type { Port } from "../port/port.ts";
import type { Burst } from "../ring/burst.ts";

/** What is counted of a virtual port, as indexes into its counters. */
export const GUEST_COUNTER = {
  RX: 0,
  RX_BYTES: 1,
  TX: 2,
  TX_BYTES: 3,
  DROPPED: 4,
  /** Doorbells rung, to wake a host's lcore that slept. */
  NOTIFIED: 5,
  COUNT: 8,
} as const;

/** The counters of one virtual port: written by one lcore each way, read by anybody. */
export type GuestCounters = Float64Array<SharedArrayBuffer>;

/**
 * The guest's end of a channel: a port whose frames are already in memory.
 *
 * One lcore receives, frees and allocates; one lcore, not necessarily the same, sends.
 */
export class VirtualPort implements Port {
  readonly #channel: Channel;
  readonly #counters: GuestCounters;
  readonly #isOver: () => boolean;
  readonly #bell?: Doorbell;

  /**
   * Use the guest's end of `channel`; what moves is counted in `counters`.
   *
   * @param mac The MAC address of the host's port, 6 bytes.
   * @param isOver Whether to give up when the host does not take back what is freed.
   * @param bell Wakes the host's lcore, if it sleeps and can be woken.
   */
  constructor(
    readonly name: string,
    readonly mac: Uint8Array,
    channel: Channel,
    counters: GuestCounters,
    isOver: () => boolean,
    bell?: Doorbell,
  ) {
    this.#channel = channel;
    this.#counters = counters;
    this.#isOver = isOver;
    this.#bell = bell;
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    const n = this.#channel.rx.dequeueBurst(burst, max, at);
    if (n > 0) this.#count(GUEST_COUNTER.RX, burst, n, at);
    return n;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    const n = this.#channel.tx.enqueueBurst(burst, count, at);
    if (n > 0) this.#count(GUEST_COUNTER.TX, burst, n, at);
    this.#ring();
    return n;
  }

  /** Count frames that could not be sent by this port. */
  countDropped(frames: number): void {
    this.#counters[GUEST_COUNTER.DROPPED] += frames;
  }

  /** Give mbufs back to the host. Waits for room: what a guest forgets is lost until it detaches. */
  free(burst: Burst, count: number, at = 0): void {
    for (let next = at, left = count; left > 0;) {
      const n = this.#channel.giveback.enqueueBurst(burst, left, next);
      next += n;
      left -= n;
      this.#ring();
      if (left === 0 || this.#isOver()) return;
      shim.shim_pause(16);
    }
  }

  /** Take up to `max` empty mbufs that the host has lent; returns how many. */
  allocBurst(burst: Burst, max: number, at = 0): number {
    return this.#channel.lend.dequeueBurst(burst, max, at);
  }

  /** Whether the host has lent anything that was not taken yet. */
  get hasWork(): boolean {
    return this.#channel.rx.pending > 0 || this.#channel.lend.pending > 0;
  }

  /** Wake the host's lcore, if it sleeps. */
  #ring(): void {
    if (this.#bell?.notify()) this.#counters[GUEST_COUNTER.NOTIFIED]++;
  }

  /** Bytes are counted behind frames: RX_BYTES follows RX, TX_BYTES follows TX. */
  #count(counter: number, burst: Burst, n: number, at: number): void {
    const words = burst.words;
    let bytes = 0;
    for (let i = (at << 1) + 1, end = (at + n) << 1; i < end; i += 2) bytes += words[i] >>> 16;
    this.#counters[counter] += n;
    this.#counters[counter + 1] += bytes;
  }
}
