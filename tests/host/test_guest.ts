import { ok } from "node:assert/strict";
import { newGuestCounters } from "../guest/guest_counters.ts";
import { Burst } from "../../app/ring/burst.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace } from "../../app/channel/channel.ts";
import { GUEST_STATE, GuestState } from "../../app/channel/guest_state.ts";
import { type RxEnd, type TxEnd, VirtualPorts } from "../../app/guest/virtual_port.ts";
import { Region } from "../../app/memory/region.ts";

/** A guest that a test drives. */
export class TestGuest {
  readonly state: GuestState;
  #channels?: Channel[];

  constructor(
    readonly memory: MappedMemory,
    region: string,
    readonly number: number,
    readonly places: readonly ChannelPlace[],
  ) {
    this.state = GuestState.attach(Region.attach(memory, region), number);
  }

  /** Ask to be let in: it is, some turns later. */
  claim(wantsMbufs = false, peer?: number): void {
    ok(this.state.claim({ pid: 4711, wantsMbufs, peer }) !== undefined);
    this.#channels = undefined;
  }

  /** Its end of each channel, once it was let in: the host resets the rings before. */
  get channels(): Channel[] {
    return this.#channels ??= this.places.map((place) => new Channel(this.memory, place));
  }

  /** Whether the host has let it in. */
  get isRunning(): boolean {
    return this.state.state === GUEST_STATE.RUNNING;
  }

  /** Forward up to `max` frames from port `from` to port `to`; returns how many. */
  forward(from: number, to: number, max = 32): number {
    const burst = Burst.of(max);
    const n = this.channels[from].rx.dequeueBurst(burst, max);
    return this.channels[to].tx.enqueueBurst(burst, n);
  }
}

/** Both ends of virtual port 0, for a test that needs no lane. */
export class TestPort {
  readonly #rx: RxEnd;
  readonly #tx: TxEnd;

  constructor(memory: MappedMemory, place: ChannelPlace) {
    const counters = newGuestCounters();
    const handle = { number: 0, name: "p0", mac: new Uint8Array(6), place, counters };
    const ports = new VirtualPorts(memory, () => false);
    this.#rx = ports.rx(handle);
    this.#tx = ports.tx(handle);
  }

  rxBurst(...args: Parameters<RxEnd["rxBurst"]>): number {
    return this.#rx.rxBurst(...args);
  }

  free(...args: Parameters<RxEnd["free"]>): void {
    this.#rx.free(...args);
  }

  allocBurst(...args: Parameters<RxEnd["allocBurst"]>): number {
    return this.#rx.allocBurst(...args);
  }

  txBurst(...args: Parameters<TxEnd["txBurst"]>): number {
    return this.#tx.txBurst(...args);
  }
}
