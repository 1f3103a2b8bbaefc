import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { Channel, type ChannelPlace } from "../channel/channel.ts";
import type { Doorbell } from "../channel/sleep_flag.ts";
import { countFrames } from "../port/counters.ts";
import type { Burst } from "../ring/burst.ts";

/** What is counted of a virtual port, as indexes into its counters. */
export const GUEST_COUNTER = {
  RX: 0,
  RX_BYTES: 1,
  TX: 2,
  TX_BYTES: 3,
  /** Frames that were to be sent, and did not fit. */
  DROPPED: 4,
  /** Doorbells rung, to wake a host's lcore that slept. */
  NOTIFIED: 5,
  /** Frames that were received, and dropped by a function. */
  RX_DROPPED: 6,
  /** Of RX_DROPPED: frames whose function has thrown. */
  FAILED: 7,
  COUNT: 8,
} as const;

/** The counters of one virtual port: written by one lcore each way, read by anybody. */
export type GuestCounters = Float64Array<SharedArrayBuffer>;

/** A virtual port, or a queue of one, on its way to an lcore; survives `postMessage`. */
export interface VirtualPortHandle {
  /** As the host numbers its ports, from 0; masks and maps speak of this. */
  readonly number: number;
  /** If the port has several queues: which this is, from 0, and of how many. */
  readonly queue?: { readonly number: number; readonly count: number };
  /** The host port's name, up to 15 bytes. */
  readonly name: string;
  /** The host port's MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Where its channel's rings lie. */
  readonly place: ChannelPlace;
  /** Written by the lcores that use the port; the main thread only reads them. */
  readonly counters: GuestCounters;
}

/**
 * Whether frames that came by `from` are sent by `to`, if they go to its port: each queue of the
 * one leads to one of the other, so that frames of one flow stay in order. Kernels deal flows to
 * queues by a hash's highest bits: where that is so, answers come back by the queues between which
 * they were asked.
 */
export function leadsTo(
  { queue: from = ONLY }: Pick<VirtualPortHandle, "queue">,
  { queue: to = ONLY }: Pick<VirtualPortHandle, "queue">,
): boolean {
  return Math.floor(from.number * to.count / from.count) === to.number;
}

/** The queue of a port that has no others. */
const ONLY = { number: 0, count: 1 };

/** What both ends of a virtual port work with. */
interface PortEnd {
  readonly handle: VirtualPortHandle;
  readonly channel: Channel;
  /** Wakes the host's lcore, if it sleeps; undefined if nothing can. */
  readonly doorbell?: Doorbell;
  /** Whether to give up when the host does not take back what is freed. */
  readonly isOver: () => boolean;
}

/**
 * The receiving end of a virtual port: frames that are in memory already, and the way back of
 * mbufs. One lcore has it.
 */
class RxEnd {
  /** The port's number, as the host counts. */
  readonly number: number;
  /** The MAC address of the host's port, 6 bytes. */
  readonly mac: Uint8Array;
  /** Where the sleeping flag of the lcore that receives lies: a word index in the region. */
  readonly sleepWord: number;
  readonly #channel: Channel;
  readonly #counters: GuestCounters;
  readonly #doorbell?: Doorbell;
  readonly #isOver: () => boolean;
  #rounds = 0;

  /** For {@linkcode VirtualPorts} alone. */
  constructor({ handle, channel, doorbell, isOver }: PortEnd) {
    this.number = handle.number;
    this.mac = handle.mac;
    this.sleepWord = channel.guestSleepWord;
    this.#channel = channel;
    this.#counters = handle.counters;
    this.#doorbell = doorbell;
    this.#isOver = isOver;
  }

  /** Receive up to `max` frames; returns how many. */
  rxBurst(burst: Burst, max: number, at = 0): number {
    const n = this.#channel.rx.dequeueBurst(burst, max, at);
    if (n > 0) countFrames(this.#counters, GUEST_COUNTER.RX, burst, n, at);
    return n;
  }

  /**
   * Give mbufs back to the host. Waits for room: a forgotten mbuf is lost until the guest detaches.
   */
  free(burst: Burst, count: number, at = 0): void {
    for (let next = at, left = count; left > 0;) {
      const n = this.#channel.giveback.enqueueBurst(burst, left, next);
      next += n;
      left -= n;
      notify(this.#doorbell, this.#counters);
      if (left === 0 || this.#isOver()) return;
      shim.shim_pause(16);
    }
  }

  /** Drop received frames: give their mbufs back, and count them. */
  drop(burst: Burst, count: number, at = 0): void {
    if (count === 0) return;
    this.#counters[GUEST_COUNTER.RX_DROPPED] += count;
    this.free(burst, count, at);
  }

  /** Count frames, of those that are dropped, whose function has thrown. */
  countFailed(frames: number): void {
    this.#counters[GUEST_COUNTER.FAILED] += frames;
  }

  /** Take up to `max` empty mbufs that the host has lent; returns how many. */
  allocBurst(burst: Burst, max: number, at = 0): number {
    return this.#channel.lend.dequeueBurst(burst, max, at);
  }

  /** Show in the region that this lcore comes round its loop: several times a second. */
  tellRounds(): void {
    this.#channel.tellRounds(++this.#rounds);
  }

  /** Whether the host has lent anything that was not taken yet. */
  get hasWork(): boolean {
    return this.#channel.rx.pending > 0 || this.#channel.lend.pending > 0;
  }
}

/** The sending end of a virtual port. One lcore has it. */
class TxEnd {
  /** The port's number, as the host counts. */
  readonly number: number;
  readonly #channel: Channel;
  readonly #counters: GuestCounters;
  readonly #doorbell?: Doorbell;

  /** For {@linkcode VirtualPorts} alone. */
  constructor({ handle, channel, doorbell }: PortEnd) {
    this.number = handle.number;
    this.#channel = channel;
    this.#counters = handle.counters;
    this.#doorbell = doorbell;
  }

  /** Send `count` frames; returns how many. The others stay with the caller. */
  txBurst(burst: Burst, frames: number, at = 0): number {
    const n = this.#channel.tx.enqueueBurst(burst, frames, at);
    if (n > 0) countFrames(this.#counters, GUEST_COUNTER.TX, burst, n, at);
    notify(this.#doorbell, this.#counters);
    return n;
  }

  /** Count frames that could not be sent by this port. */
  countDropped(frames: number): void {
    this.#counters[GUEST_COUNTER.DROPPED] += frames;
  }
}

export type { RxEnd, TxEnd };

/**
 * The guest's ends of channels, as one lcore has them. A ring end keeps its own position, so that
 * two objects for one end would publish over each other. So all ends are made here, each once; a
 * second request gets the same object.
 */
export class VirtualPorts {
  readonly #ends = new Map<number, PortEnd>();
  readonly #rx = new Map<number, RxEnd>();
  readonly #tx = new Map<number, TxEnd>();

  /**
   * For no port yet. One lcore makes one.
   *
   * @param memory The region's.
   * @param isOver Whether to give up when the host does not take back what is freed.
   * @param wake Raises an interrupt at the host; undefined if nothing can.
   */
  constructor(
    private readonly memory: MappedMemory,
    private readonly isOver: () => boolean,
    private readonly wake?: (vector: number) => boolean,
  ) {}

  /** The receiving end of a port. No other lcore may have it. */
  rx(handle: VirtualPortHandle): RxEnd {
    return once(this.#rx, handle.place.channel, () => new RxEnd(this.#end(handle)));
  }

  /** The sending end of a port. No other lcore may have it. */
  tx(handle: VirtualPortHandle): TxEnd {
    return once(this.#tx, handle.place.channel, () => new TxEnd(this.#end(handle)));
  }

  #end(handle: VirtualPortHandle): PortEnd {
    return once(this.#ends, handle.place.channel, () => {
      const channel = new Channel(this.memory, handle.place);
      const doorbell = this.wake && channel.hostDoorbell(this.wake);
      return { handle, channel, doorbell, isOver: this.isOver };
    });
  }
}

/** What `map` has for `key`, made now if it has nothing. */
function once<Value>(map: Map<number, Value>, key: number, make: () => Value): Value {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}

function notify(doorbell: Doorbell | undefined, counters: GuestCounters): void {
  if (doorbell !== undefined && doorbell.notify()) counters[GUEST_COUNTER.NOTIFIED]++;
}
