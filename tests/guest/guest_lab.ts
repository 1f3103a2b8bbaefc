import { equal } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { addChannel, Channel, type ChannelPlace } from "../../app/channel/channel.ts";
import type { GuestLane } from "../../app/guest/guest_lane.ts";
import { addressWords } from "../../app/guest/mac_address.ts";
import { TxBuffer } from "../../app/guest/tx_buffer.ts";
import { GUEST_COUNTER, type GuestCounters, VirtualPort } from "../../app/guest/virtual_port.ts";
import { HEADROOM_BYTES, MBUF_STRIDE_BYTES, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { Burst } from "../../app/ring/burst.ts";

const MBUFS = 256;

/** The MAC address of host port number `port`. */
export function macOf(port: number): Uint8Array {
  return Uint8Array.of(0x52, 0x54, 0xaa, 0xbb, 0xcc, port);
}

/** What a virtual port counts of frames, by name. */
export function counted(counters: GuestCounters): Record<string, number> {
  const names = Object.entries(GUEST_COUNTER).filter(([name]) =>
    !["COUNT", "NOTIFIED"].includes(name)
  );
  return Object.fromEntries(names.map(([name, at]) => [name, counters[at]]));
}

/** A region's channels in memory of this process, with the guest's ports; the test is the host. */
export class GuestLab implements Disposable {
  readonly memory: MappedMemory;
  readonly mbufs: Mbufs;
  readonly places: ChannelPlace[];
  /** The host's end of each channel. */
  readonly host: Channel[];
  /** The guest's ports. */
  readonly ports: VirtualPort[];
  readonly counters: GuestCounters[];
  /** Whether the guest gives up. */
  isOver = () => false;
  #lent = 0;

  constructor({ ports = 1, ringSize = 64 } = {}) {
    this.memory = MappedMemory.ofProcess(2 << 20);
    const region = Region.build(this.memory, "r0");
    const numbers = Array.from({ length: ports }, (_, port) => port);
    this.places = numbers.map((port) => {
      const description = { portName: `p${port}`, mac: macOf(port), frameMax: 1522 };
      return addChannel(region, 0, port, ringSize, description);
    });
    const [stride, count] = [MBUF_STRIDE_BYTES, MBUFS];
    const { offset } = region.addMemzone("mbufs", ZONE_KIND.MBUFS, stride * count, stride);
    this.mbufs = new Mbufs(this.memory, { offset, stride, count });
    this.host = this.places.map((place) => new Channel(this.memory, place));
    this.counters = numbers.map(() =>
      new Float64Array(new SharedArrayBuffer(GUEST_COUNTER.COUNT * 8))
    );
    this.ports = numbers.map((port) => {
      const channel = new Channel(this.memory, this.places[port]);
      return new VirtualPort(
        `p${port}`,
        macOf(port),
        channel,
        this.counters[port],
        () => this.isOver(),
      );
    });
  }

  /** A way from one port to another, as the lcore's Worker makes it. */
  lane(from = 0, to = from, { macUpdating = true, txBytes = 64 } = {}): GuestLane {
    return {
      mbufs: this.mbufs,
      from: this.ports[from],
      out: new TxBuffer(this.ports[to], this.ports[from]),
      macUpdating,
      addresses: addressWords(Uint8Array.of(2, 0, 0, 0, 0, to), macOf(to)),
      txBytes,
    };
  }

  /** Put frames into mbufs, each `headroom` bytes from its mbuf's start. Returns descriptors. */
  burst(frames: Uint8Array[], headroom = HEADROOM_BYTES): Burst {
    const burst = Burst.of(Math.max(32, frames.length));
    frames.forEach((frame, i) => {
      burst.words[2 * i] = this.#lent++ % MBUFS;
      burst.words[2 * i + 1] = dataWord(headroom, frame.length);
      this.mbufs.u8.set(frame, this.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1]));
    });
    return burst;
  }

  /** The host lends frames by `port`; the guest may receive them now. */
  lend(frames: Uint8Array[], port = 0): void {
    equal(this.host[port].rx.enqueueBulk(this.burst(frames), frames.length), frames.length);
  }

  /** The frame that descriptor number `i` of `burst` names. */
  frame(burst: Burst, i: number): Uint8Array {
    const byte = this.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1]);
    return Uint8Array.from(this.mbufs.u8.subarray(byte, byte + (burst.words[2 * i + 1] >>> 16)));
  }

  /** All frames that the guest has sent by `port` since the last time. */
  sent(port = 0): Uint8Array[] {
    const burst = Burst.of(1024);
    const n = this.host[port].tx.dequeueBurst(burst, 1024);
    return Array.from({ length: n }, (_, i) => this.frame(burst, i));
  }

  /** The mbufs that the guest has given back by `port` since the last time. */
  givenBack(port = 0): number[] {
    const burst = Burst.of(1024);
    const n = this.host[port].giveback.dequeueBurst(burst, 1024);
    return Array.from({ length: n }, (_, i) => burst.words[2 * i]);
  }

  [Symbol.dispose](): void {
    this.memory.close();
  }
}

/** A frame of so many bytes, none like the other, of no known protocol. */
export function someFrame(bytes: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i + 1) * 37 + seed * 11);
}
