import { equal } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace } from "../../app/channel/channel.ts";
import { GuestLane } from "../../app/guest/guest_lane.ts";
import type { GuestLcoreHandle } from "../../app/guest/guest_lcore.ts";
import {
  type GuestCounters,
  type RxEnd,
  type TxEnd,
  type VirtualPortHandle,
  VirtualPorts,
} from "../../app/guest/virtual_port.ts";
import { Chain, type OnError } from "../../app/guest/function/chain.ts";
import { FunctionContext } from "../../app/guest/function/context.ts";
import { COUNTERS_BYTES, FunctionCounters } from "../../app/channel/function_counters.ts";
import {
  type FunctionModule,
  loadModule,
  readSettings,
} from "../../app/guest/function/function_module.ts";
import { findFunction } from "../../app/guest/function/function_name.ts";
import { PROGRESS_BYTES } from "../../app/guest/function/progress.ts";
import type { Preparation } from "../../app/guest/function/prepare.ts";
import { TxBuffer } from "../../app/guest/tx_buffer.ts";
import { layOut } from "../../app/host/lay_out.ts";
import { HEADER, HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { Burst } from "../../app/ring/burst.ts";
import { newGuestCounters } from "./guest_counters.ts";
import { openedPort, placed } from "../host/test_ports.ts";

const MBUFS = 256;

/** The longest frame at the usual MTU: header and two tags. */
const FRAME_MAX = 1522;

/** The MAC address of host port number `port`. */
export function macOf(port: number): Uint8Array {
  return Uint8Array.of(0x52, 0x54, 0xaa, 0xbb, 0xcc, port);
}

/**
 * A region in memory of this process, as a host lays it out, with the guest's ports; the test is
 * the host.
 */
export class GuestLab implements Disposable {
  readonly memory: MappedMemory;
  readonly mbufs: Mbufs;
  readonly places: readonly ChannelPlace[];
  /** The host's end of each channel. */
  readonly host: Channel[];
  /** The guest's ports. */
  readonly handles: VirtualPortHandle[];
  readonly ports: VirtualPorts;
  /** Whether the guest gives up. */
  isOver = () => false;
  /**
   * What an lcore needs to know of the region. Its lease ends when {@linkcode retire} is called.
   */
  readonly region: Pick<GuestLcoreHandle, "region" | "geometry" | "lease">;
  /** Where the lanes' frames wait to be sent, by port. */
  readonly outputs: (TxBuffer | undefined)[] = [];
  /** What functions count. */
  readonly counted = new FunctionCounters(new SharedArrayBuffer(COUNTERS_BYTES));
  #lent = 0;

  constructor({ ports = 1, ringSize = 64 } = {}) {
    this.memory = MappedMemory.ofProcess(4 << 20);
    const opened = Array.from(
      { length: ports },
      (_, port) => ({ ...openedPort(`p${port}`), mac: macOf(port) }),
    );
    const options = { name: "r0", mbufs: MBUFS, ringSize, guests: [{ number: 0, ports: [] }] };
    const laidOut = layOut(this.memory, options, { mtu: 1500, burst: 32 }, [placed(opened)]);
    const { geometry, guests: [{ places, state }] } = laidOut;
    this.mbufs = new Mbufs(this.memory, geometry);
    this.places = places;
    this.host = places.map((place) => new Channel(this.memory, place));
    this.handles = places.map((place, number) => ({
      number,
      name: `p${number}`,
      mac: macOf(number),
      place,
      counters: newGuestCounters(),
    }));
    this.outputs.length = ports;
    this.ports = new VirtualPorts(this.memory, () => this.isOver());
    const { incarnation, incarnationWord, heartbeatWord } = state;
    const epoch = this.memory.load(HEADER.EPOCH);
    const lease = { epoch, incarnation, incarnationWord, heartbeatWord };
    this.region = { region: this.memory.handle, geometry, lease };
  }

  get counters(): GuestCounters[] {
    return this.handles.map(({ counters }) => counters);
  }

  /** The receiving end of a port. */
  rx(port = 0): RxEnd {
    return this.ports.rx(this.handles[port]);
  }

  /** The sending end of a port. */
  tx(port = 0): TxEnd {
    return this.ports.tx(this.handles[port]);
  }

  /** A way from one port to another, as an lcore has it. */
  lane(from = 0, to = from, { burst = 32, isChecked = false } = {}): GuestLane {
    const { mbufs, outputs } = this;
    outputs[to] ??= new TxBuffer(this.tx(to), this.rx(from), burst);
    const parts = { mbufs, from: this.rx(from), out: outputs[to], outputs, burst };
    return new GuestLane({ ...parts, frameMax: FRAME_MAX, isChecked });
  }

  /** Functions, set up for an lcore: `module` may be the name of one that comes with culvert. */
  async chain(
    module: string | FunctionModule,
    set: Record<string, string> = {},
    { onError = "drop" as OnError, log = (_: string) => {}, clock = () => 1e9 } = {},
  ): Promise<Chain> {
    const name = typeof module === "string" ? module : "test";
    const loaded = typeof module === "string"
      ? await loadModule(name, findFunction(name).url)
      : module;
    const options = await readSettings(name, loaded, set);
    const context = new FunctionContext(this.handles, 0, 1, options, this.counted, log, clock);
    const run = loaded.setup?.(context) ?? loaded.default;
    const { originates = false, offloads = false } = loaded;
    return new Chain([{ name, context, run }], originates, onError, log, undefined, offloads);
  }

  /** The host lends frames by port `from`; one turn of a lane; what port `to` has sent then. */
  async through(
    module: string | FunctionModule,
    frames: Uint8Array[],
    { from = 0, to, set = {}, headroom = HEADROOM_BYTES }: Through = {},
  ): Promise<Uint8Array[]> {
    const chain = await this.chain(module, set);
    const lane = this.lane(from, to);
    equal(
      this.host[from].rx.enqueueBulk(this.burst(frames, headroom), frames.length),
      frames.length,
    );
    lane.turn(chain);
    for (const output of this.outputs) output?.flush();
    return this.sent(to ?? from);
  }

  /** The host retires the guest. */
  retire(): void {
    const { incarnation, incarnationWord } = this.region.lease;
    this.memory.store(incarnationWord, incarnation + 1);
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

/** What an lcore's Worker is to load. */
export function preparationOf(named: string): Preparation {
  return { specs: [{ named, set: {} }], idle: "poll" };
}

/** How {@linkcode GuestLab.through} goes. */
interface Through {
  readonly from?: number;
  /** The same unless told. */
  readonly to?: number;
  readonly set?: Record<string, string>;
  /** Where frames begin in their mbufs, in bytes. */
  readonly headroom?: number;
}

/** What an lcore needs to know beside its region and lanes. */
export function lcoreParts({ handles }: GuestLab) {
  const counters = new SharedArrayBuffer(COUNTERS_BYTES);
  const progress = new SharedArrayBuffer(PROGRESS_BYTES);
  const how = { onError: "drop", frameMax: FRAME_MAX, isChecked: false } as const;
  return { ...how, counters, progress, lcores: 1, ports: handles };
}
