import { COUNTER } from "../../app/port/counters.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { addChannel, Channel, type ChannelPlace } from "../../app/channel/channel.ts";
import { GuestState } from "../../app/channel/guest_state.ts";
import { CHANNEL, HEADER, MBUF_STRIDE_BYTES, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import type { Memzone } from "../../app/memory/zone.ts";
import { addMempool, type SharedMempool } from "../../app/toolkit/shared_mempool.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";

/** Slots of its channel's rings. */
export const RING_SIZE = 64;

/**
 * A region with one of everything, in memory of this process: guest `g0`, its channel `g0.p0`, MPMC
 * ring `work`, mempool `shared`, memzone `notes`, mbufs.
 */
export class SampleRegion implements Disposable {
  readonly memory: MappedMemory = MappedMemory.ofProcess(1 << 20);
  readonly region: Region = Region.build(this.memory, "sample");
  readonly guest: GuestState = GuestState.add(this.region, 0, 1);
  readonly place: ChannelPlace;
  readonly channel: Channel;
  readonly work: MpmcRing;
  readonly shared: SharedMempool;

  constructor() {
    const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
    const description = { portName: "tap0", mac, frameMax: 1522 };
    this.place = addChannel(this.region, 0, 0, RING_SIZE, description);
    this.channel = new Channel(this.memory, this.place);
    const { offset } = this.region.addMemzone("work", ZONE_KIND.MPMC, MpmcRing.bytes(16), 16);
    this.work = new MpmcRing(this.memory, offset, 16);
    this.shared = addMempool(this.region, "shared", { count: 20, dataRoom: 256 });
    this.region.addMemzone("notes", ZONE_KIND.RAW, 1000);
    const mbufs = 100 * MBUF_STRIDE_BYTES;
    this.region.addMemzone("mbufs", ZONE_KIND.MBUFS, mbufs, MBUF_STRIDE_BYTES);
    this.memory.u32[HEADER.MBUFS_FREE] = 75;
    this.region.publish();
  }

  /** A memzone by name, of whatever kind. */
  zone(name: string): Memzone {
    return this.region.zones.find((zone) => zone.name === name)!;
  }

  /** The first word of a memzone. */
  word(name: string): number {
    return this.zone(name).offset / 4;
  }

  /** Set what the host counted of the channel's port. */
  count(counter: number, value: number): void {
    const counters = new Float64Array(this.memory.u8.buffer, this.#countersByte, COUNTER.COUNT);
    counters[counter] = value;
  }

  get #countersByte(): number {
    return this.memory.u8.byteOffset + this.zone("g0.p0").offset + CHANNEL.COUNTERS * 4;
  }

  [Symbol.dispose](): void {
    this.memory.close();
  }
}
