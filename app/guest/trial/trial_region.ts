import { CulvertError } from "../../../ffi/error.ts";
import { MappedMemory } from "../../../ffi/mapped_memory.ts";
import { addChannel, Channel, type ChannelPlace } from "../../channel/channel.ts";
import { HEADROOM_BYTES, MBUF_STRIDE_BYTES, ZONE_KIND } from "../../memory/layout.ts";
import { Region } from "../../memory/region.ts";
import { dataWord, EMPTY_DATA, Mbufs } from "../../mempool/mbuf.ts";
import { Burst } from "../../ring/burst.ts";
import { SpscRing } from "../../ring/spsc_ring.ts";
import { burstRoom } from "../guest_lane.ts";
import { GUEST_COUNTER, type VirtualPortHandle } from "../virtual_port.ts";

/** Bytes of header, directory, memzones and their gaps. */
const REST_BYTES = 1 << 18;

/** Bytes of empty mbufs, at most, unless bursts are larger. */
const BYTES_MAX = 1 << 28;

/** A descriptor has 16 bits for a frame's length. */
const FRAME_BYTES_MAX = 65_535;

/** An mbuf that came out of a channel, and where from. */
export interface Taken {
  /** The mbuf index. */
  readonly mbuf: number;
  /** The number of the port that sends it; undefined if it was given back. */
  readonly port?: number;
  /** A copy of the frame that is sent. */
  readonly bytes: Uint8Array;
}

/** A region in memory of this process, and the host's ends of its channels: what a trial needs. */
export class TrialRegion implements Disposable {
  /** Its memory. */
  readonly memory: MappedMemory;
  /** Its mbufs. */
  readonly mbufs: Mbufs;
  /** The guest's ports. */
  readonly ports: readonly VirtualPortHandle[];
  readonly #channels: readonly Channel[];
  readonly #free: number[];
  readonly #burst: Burst;
  /** Empty mbufs that a port has. */
  readonly #empty: number;

  /**
   * Lay it out.
   *
   * @param ports How many.
   * @param burst Frames that are lent at a time.
   * @param frameMax The longest frame in bytes.
   */
  constructor(ports: number, burst: number, frameMax: number) {
    const stride = Math.max(MBUF_STRIDE_BYTES, Math.ceil((HEADROOM_BYTES + frameMax) / 64) * 64);
    this.#empty = emptyPerPort(burst, ports, stride);
    const count = 2 * burst + ports * this.#empty;
    const ringSize = 2 ** Math.ceil(Math.log2(2 * (burst + this.#empty)));
    const least = count * stride + ports * 4 * SpscRing.bytes(ringSize) + REST_BYTES;
    this.memory = MappedMemory.ofProcess(2 ** Math.ceil(Math.log2(Math.max(1 << 20, least))));
    const region = Region.build(this.memory, "trial");
    this.ports = Array.from({ length: ports }, (_, number) => {
      const [name, mac] = [`port${number}`, macOf(number)];
      const place = addChannel(region, 0, number, ringSize, { portName: name, mac, frameMax });
      return { number, name, mac, place, counters: newCounters() };
    });
    const { offset } = region.addMemzone("mbufs", ZONE_KIND.MBUFS, count * stride, stride);
    this.mbufs = new Mbufs(this.memory, { offset, stride, count });
    const channelAt = ({ place }: { place: ChannelPlace }) => new Channel(this.memory, place);
    this.#channels = this.ports.map(channelAt);
    this.#free = Array.from({ length: count }, (_, mbuf) => mbuf);
    this.#burst = Burst.of(ringSize);
  }

  /** The longest frame that there is room for, in bytes. */
  get frameMax(): number {
    return Math.min(this.mbufs.room - HEADROOM_BYTES, FRAME_BYTES_MAX);
  }

  /**
   * Lend frames by a port: the guest may receive them now.
   *
   * @returns the mbuf index of each.
   * @throws {CulvertError} if a frame is too long.
   */
  lend(port: number, frames: readonly Uint8Array[]): number[] {
    const { words } = this.#burst;
    const long = frames.find(({ length }) => length > this.frameMax);
    if (long) {
      throw new CulvertError(
        `Cannot try a frame of ${long.length} bytes: ${this.frameMax} fit into an mbuf here`,
      );
    }
    const used = frames.map((bytes, i) => {
      const mbuf = this.#take();
      words[2 * i] = mbuf;
      words[2 * i + 1] = dataWord(HEADROOM_BYTES, bytes.length);
      this.mbufs.u8.set(bytes, this.mbufs.frameByte(words[2 * i], words[2 * i + 1]));
      return mbuf;
    });
    const lent = this.#channels[port].rx.enqueueBulk(this.#burst, used.length);
    if (lent !== used.length) throw new Error(`${used.length} frames do not fit into a ring`);
    return used;
  }

  /** Lend empty mbufs by a port, as many as it has room for in a burst. */
  lendEmpty(port: number): void {
    const { words } = this.#burst;
    const { lend } = this.#channels[port];
    const missing = this.#empty - lend.count;
    for (let i = 0; i < missing; i++) {
      words[2 * i] = this.#take();
      words[2 * i + 1] = EMPTY_DATA;
    }
    if (missing > 0) lend.enqueueBulk(this.#burst, missing);
  }

  /** All that the guest has sent, port by port, and what it has given back. */
  take(): Taken[] {
    const taken: Taken[] = [];
    const burst = this.#burst;
    const { words } = burst;
    this.#channels.forEach(({ tx, giveback }, port) => {
      const sent = tx.dequeueBurst(burst, burst.capacity);
      for (let i = 0; i < sent; i++) {
        const start = this.mbufs.frameByte(words[2 * i], words[2 * i + 1]);
        const bytes = Uint8Array.from(
          this.mbufs.u8.subarray(start, start + (words[2 * i + 1] >>> 16)),
        );
        taken.push({ mbuf: words[2 * i], port, bytes });
      }
      const given = giveback.dequeueBurst(burst, burst.capacity);
      for (let i = 0; i < given; i++) taken.push({ mbuf: words[2 * i], bytes: new Uint8Array(0) });
    });
    this.#free.push(...taken.map(({ mbuf }) => mbuf));
    return taken;
  }

  /** Unmap the memory. */
  [Symbol.dispose](): void {
    this.memory.close();
  }

  #take(): number {
    const mbuf = this.#free.pop();
    if (mbuf === undefined) throw new Error("the trial's region has no mbuf left");
    return mbuf;
  }
}

/** Empty mbufs for a burst that is flooded, or as many as there is memory for. */
function emptyPerPort(burst: number, ports: number, stride: number): number {
  const fitting = Math.floor(BYTES_MAX / (ports * stride));
  return Math.max(burst, Math.min(burstRoom(burst, ports) - burst, fitting));
}

/** The MAC address of a port: one of those for documentation (RFC 7042, 2.1.2). */
function macOf(port: number): Uint8Array {
  return Uint8Array.of(0x00, 0x00, 0x5e, 0x00, 0x53, 0x80 + port);
}

function newCounters(): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(GUEST_COUNTER.COUNT * 8));
}
