import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { CHANNEL, HEADROOM_BYTES, SLEEP, ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import { checkRingSize } from "../ring/ring_size.ts";
import { SpscRing } from "../ring/spsc_ring.ts";
import { Doorbell } from "./sleep_flag.ts";

/** What a guest is told of the host's port at the other end of a channel. */
export interface ChannelDescription {
  /** The host port's name, up to 15 bytes. */
  readonly portName: string;
  /** The host port's MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Longest frame in bytes, without FCS. */
  readonly frameMax: number;
  /** How many queues the port has, each with a channel; one if left out. */
  readonly queues?: number;
}

/** A channel and its rings: byte offsets in the region, and slots. Survives `postMessage`. */
export interface ChannelPlace {
  /** The channel's description, sleeping flags and counters: `CHANNEL` in the layout. */
  readonly channel: number;
  /** The ring of received frames: host -> guest. */
  readonly rx: number;
  /** The ring of frames to be sent: guest -> host. */
  readonly tx: number;
  /** The ring of empty mbufs: host -> guest. */
  readonly lend: number;
  /** The ring of mbufs that the guest does not send: guest -> host. */
  readonly giveback: number;
  /** Slots of each ring. */
  readonly ringSize: number;
}

/**
 * The rings between the host and one guest for one queue of a port. Each has one producer and one
 * consumer.
 *
 * All four belong to one lcore on either side: `lend` and `giveback` are per channel, not per
 * guest, so that a guest's lcores need not share a ring.
 */
export class Channel {
  /** Host -> guest: frames received by the host's port. */
  readonly rx: SpscRing;
  /** Guest -> host: frames to be sent by the host's port. */
  readonly tx: SpscRing;
  /** Host -> guest: empty mbufs, for guests that originate frames. */
  readonly lend: SpscRing;
  /** Guest -> host: mbufs that the guest does not send. */
  readonly giveback: SpscRing;

  /** Where the sleeping flag of the host's lcore lies: a word index in the region. */
  readonly hostSleepWord: number;
  /** Where the sleeping flag of the guest's lcore that receives lies. */
  readonly guestSleepWord: number;
  readonly #memory: MappedMemory;

  /** Use the rings at `place`, which is in private memory and is not read from the region again. */
  constructor(memory: MappedMemory, place: ChannelPlace) {
    this.#memory = memory;
    this.hostSleepWord = (place.channel >>> 2) + CHANNEL.HOST_SLEEP;
    this.guestSleepWord = (place.channel >>> 2) + CHANNEL.GUEST_SLEEP;
    this.rx = new SpscRing(memory, place.rx, place.ringSize);
    this.tx = new SpscRing(memory, place.tx, place.ringSize);
    this.lend = new SpscRing(memory, place.lend, place.ringSize);
    this.giveback = new SpscRing(memory, place.giveback, place.ringSize);
  }

  /** Impossible positions that the peer has published in any of the rings. */
  get violations(): number {
    return this.rx.violations + this.tx.violations + this.lend.violations +
      this.giveback.violations;
  }

  /**
   * Host: what notifies the guest's lcore. `wake` raises an interrupt there; false if it has none.
   */
  guestDoorbell(wake: (vector: number) => boolean): Doorbell {
    return new Doorbell(this.#memory, this.guestSleepWord, wake);
  }

  /** Guest: what notifies the host's lcore. */
  hostDoorbell(wake: (vector: number) => boolean): Doorbell {
    return new Doorbell(this.#memory, this.hostSleepWord, wake);
  }

  /**
   * Guest: show, by a number that is another one each time, that the lcore that receives still
   * loops.
   */
  tellRounds(rounds: number): void {
    this.#memory.store(this.guestSleepWord + SLEEP.ROUNDS, rounds >>> 0);
  }

  /** Empty all rings. Neither side may be using the channel. */
  reset(): void {
    for (const ring of RINGS) this[ring].reset();
    this.tellRounds(0);
  }
}

const RINGS = ["rx", "tx", "lend", "giveback"] as const;

/** `g0.p1`: guest 0, virtual port 1; `g0.p1.q2` for its third queue. */
function zoneName(guest: number, port: number, queue: number): string {
  return `g${guest}.p${port}${queue > 0 ? `.q${queue}` : ""}`;
}

/**
 * Add a channel's memzones to a region that is being built.
 *
 * @param ringSize Slots of each ring, a power of two.
 * @throws {CulvertError} if the region has no room.
 */
export function addChannel(
  region: Region,
  guest: number,
  port: number,
  ringSize: number,
  description: ChannelDescription,
  queue = 0,
): ChannelPlace {
  checkRingSize(ringSize);
  const name = zoneName(guest, port, queue);
  const { offset } = region.addMemzone(name, ZONE_KIND.CHANNEL, CHANNEL.BYTES);
  const { u8, u32 } = region.memory;
  u8.set(new TextEncoder().encode(description.portName).subarray(0, 15), offset);
  u8.set(description.mac, offset + CHANNEL.MAC * 4);
  u32[(offset >>> 2) + CHANNEL.FRAME_MAX] = description.frameMax;
  u32[(offset >>> 2) + CHANNEL.HEADROOM] = HEADROOM_BYTES;
  u32[(offset >>> 2) + CHANNEL.QUEUES] = description.queues ?? 1;
  const [rx, tx, lend, giveback] = RINGS.map((ring) =>
    region.addMemzone(`${name}.${ring}`, ZONE_KIND.RING, SpscRing.bytes(ringSize), ringSize).offset
  );
  return { channel: offset, rx, tx, lend, giveback, ringSize };
}

/**
 * Find a channel in a region.
 *
 * @throws {CulvertError} if there is none, or its rings do not fit their memzones.
 */
export function findChannel(
  region: Region,
  guest: number,
  port: number,
  queue = 0,
): Required<ChannelDescription> & { place: ChannelPlace } {
  const name = zoneName(guest, port, queue);
  const { offset } = region.zone(name, ZONE_KIND.CHANNEL);
  const { u8, u32 } = region.memory;
  const [portName] = new TextDecoder().decode(u8.slice(offset, offset + 16)).split("\0");
  const zones = RINGS.map((ring) => region.zone(`${name}.${ring}`, ZONE_KIND.RING));
  const ringSize = zones[0].parameter;
  checkRingSize(ringSize);
  for (const zone of zones) {
    if (zone.parameter === ringSize && zone.size >= SpscRing.bytes(ringSize)) continue;
    throw new CulvertError(
      `Cannot use ring ${zone.name} as it has ${zone.parameter} slots in ${zone.size} bytes: ` +
        `${ringSize} in ${SpscRing.bytes(ringSize)} are wanted`,
    );
  }
  const [rx, tx, lend, giveback] = zones.map((zone) => zone.offset);
  return {
    portName,
    mac: u8.slice(offset + CHANNEL.MAC * 4, offset + CHANNEL.MAC * 4 + 6),
    frameMax: u32[(offset >>> 2) + CHANNEL.FRAME_MAX],
    queues: u32[(offset >>> 2) + CHANNEL.QUEUES],
    place: { channel: offset, rx, tx, lend, giveback, ringSize },
  };
}
