import { equal, ok } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace } from "../../app/channel/channel.ts";
import { GUEST_STATE, GuestState } from "../../app/channel/guest_state.ts";
import { Ledger } from "../../app/channel/ledger.ts";
import type { Doorbell } from "../../app/channel/sleep_flag.ts";
import { GUEST_COUNTER, VirtualPort } from "../../app/guest/virtual_port.ts";
import { Outstanding } from "../../app/channel/outstanding.ts";
import { Gate, GateFollower } from "../../app/host/gate.ts";
import { GuestSupervisor } from "../../app/host/guest_supervisor.ts";
import { QUARANTINE_AFTER, ViolationCounters } from "../../app/host/violation_counters.ts";
import { RegionPeers } from "../../app/host/region_peers.ts";
import { type LaidOutRegion, layOut } from "../../app/host/host_plan.ts";
import type { LcoreRegion } from "../../app/host/host_lcore.ts";
import { Lane } from "../../app/host/lane.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, type Counters, droppedBy, newCounters } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/kernel_port.ts";
import type { OpenedPort } from "../../app/port/open_port.ts";
import type { HostPort } from "../../app/port/port.ts";
import { Burst } from "../../app/ring/burst.ts";

/** A port in memory, as `openPort()` would return it. */
export function openedPort(name: string, number = 0): OpenedPort {
  return {
    setup: { kind: "null", name, frameBytes: 64 },
    mac: Uint8Array.of(2, 0, 0, 0, 0, number),
    restore() {},
  };
}

/**
 * A host's parts, put together as `run_host.ts` does, in one thread and in memory of this process, and
 * a guest to be driven by hand: `using lab = new HostLab({ ringSize: 16 })`.
 */
export class HostLab implements Disposable {
  readonly memory: MappedMemory;
  readonly laidOut: LaidOutRegion;
  readonly mbufs: Mbufs;
  readonly mempool: Mempool;
  readonly ledger: Ledger;
  readonly gate: Gate;
  readonly keeper: GateFollower;
  readonly supervisor: GuestSupervisor;
  readonly counters: Counters[];
  /** What the supervisor has logged. */
  readonly log: string[] = [];
  /** Those of these lines that must not be lost among others. */
  readonly rareLog: string[] = [];
  /** The guest's view of its control memzone. */
  readonly guest: GuestState;
  /** What the guest holds; the main thread is writer 1. */
  readonly outstanding = Outstanding.create(1, 2);
  readonly #channels: Channel[];
  readonly #holdMax: number;

  constructor(
    {
      ports = 1,
      mbufs = 256,
      ringSize = 64,
      quarantineAfter = QUARANTINE_AFTER,
      peers = undefined as RegionPeers | undefined,
      holdMax = 1 << 25,
    } = {},
  ) {
    this.#holdMax = holdMax;
    this.memory = MappedMemory.ofProcess(1 << 20);
    const opened = Array.from({ length: ports }, (_, port) => openedPort(`p${port}`, port));
    const guests = [{ number: 0, ports: opened }];
    this.laidOut = layOut(this.memory, "r0", { mbufs, mtu: 1500, ringSize }, guests);
    this.laidOut.region.publish();
    const { geometry, frameMax, region } = this.laidOut;
    const [{ state }] = this.laidOut.guests;
    this.mbufs = new Mbufs(this.memory, geometry);
    this.mempool = Mempool.create(mbufs, 0);
    this.ledger = new Ledger(new SharedArrayBuffer(mbufs), geometry, frameMax, false);
    this.counters = newCounters(ports);
    this.#channels = this.places.map((place) => new Channel(this.memory, place));
    this.gate = Gate.create(1);
    this.keeper = new GateFollower(this.gate.handle, 0, () => {
      for (const channel of this.#channels) channel.reset();
    });
    const mainThread = Mempool.attach(this.mempool.handle);
    const log = (line: string, isRare = false) => {
      this.log.push(line);
      if (isRare) this.rareLog.push(line);
    };
    this.supervisor = new GuestSupervisor({
      guest: 0,
      name: "guest 0",
      state,
      gate: this.gate,
      ledger: this.ledger,
      mempool: mainThread,
      peers: peers ?? new RegionPeers(undefined, log),
      violations: new ViolationCounters(this.counters, quarantineAfter),
      takenBack: (mbufs) => this.outstanding.of(0, 1).add(-mbufs),
      wakeLcores() {},
      log,
    });
    this.guest = GuestState.attach(region, 0);
  }

  /** Where the guest's channels lie. */
  get places(): readonly ChannelPlace[] {
    return this.laidOut.guests[0].places;
  }

  /** The lane of port `number`, and the port that `make` makes for it. */
  lane<P extends HostPort>(
    make: (resources: PortResources) => P,
    number = 0,
    bell?: Doorbell,
  ): [Lane, P] {
    const { mbufs, mempool, ledger, keeper: gate } = this;
    const [counters, channel] = [this.counters[number], this.#channels[number]];
    const port = make({ mbufs, mempool, counters, frameMax: this.laidOut.frameMax });
    const [holding, holdMax] = [this.outstanding.of(0, 0), this.#holdMax];
    const own = { port, channel, guest: 0, gate, ledger, mempool, counters, bell };
    return [new Lane({ ...own, holding, holdMax }), port];
  }

  /** Attach a guest, and give its end of each channel. */
  attach(wantsMbufs = false, now = 0, peer?: number): Channel[] {
    ok(this.guest.claim({ pid: 4711, wantsMbufs, peer }) !== undefined);
    this.supervisor.step(now);
    this.keeper.follow();
    this.supervisor.step(now);
    equal(this.guest.state, GUEST_STATE.RUNNING);
    return this.places.map((place) => new Channel(this.memory, place));
  }

  /** As {@linkcode attach}, for the virtual port of port 0. */
  attachPort(wantsMbufs = false, peer?: number): VirtualPort {
    const counters = new Float64Array(new SharedArrayBuffer(GUEST_COUNTER.COUNT * 8));
    const [channel] = this.attach(wantsMbufs, 0, peer);
    return new VirtualPort("p0", new Uint8Array(6), channel, counters, () => false);
  }

  /** Cut the guest off and sweep up after it; what it held is counted as the host does in the end. */
  cutOff(): void {
    this.supervisor.close("is cut off");
    this.keeper.follow();
    this.supervisor.step(0);
    equal(this.supervisor.isClosed, true);
    this.counters[0][COUNTER.GUEST_LOST] += this.supervisor.lost;
    this.supervisor.lost = 0;
  }

  /** Check that all frames that came are accounted for, and that each mbuf is free, once. */
  checkAccounts(): void {
    const sum = (counter: number) => this.counters.reduce((n, of) => n + of[counter], 0);
    const dropped = this.counters.reduce((n, of) => n + droppedBy(of), 0);
    equal(sum(COUNTER.RX) + sum(COUNTER.ORIGINATED), sum(COUNTER.TX) + dropped, "frames");
    const { count } = this.laidOut.geometry;
    const burst = Burst.of(count + 1);
    const n = this.mempool.allocBurst(burst, count + 1);
    equal(n, count, "mbufs");
    equal(this.outstanding.of(0, 0).mbufs, 0, "mbufs that the guest holds");
    equal(
      new Set(burst.words.subarray(0, 2 * n).filter((_, i) => i % 2 === 0)).size,
      count,
      "mbufs",
    );
    this.mempool.free(burst, n);
  }

  [Symbol.dispose](): void {
    new MappedMemory(this.mempool.handle.memory).close();
    new MappedMemory(this.gate.handle).close();
    this.memory.close();
  }
}

/** The counters of a port that are not 0, by name. */
export function counted(counters: Counters): Partial<Record<keyof typeof COUNTER, number>> {
  const names = Object.entries(COUNTER).filter(([name]) => name !== "COUNT");
  return Object.fromEntries(
    names.map(([name, at]) => [name, counters[at]]).filter(([, n]) => n !== 0),
  );
}

/** What an lcore is told of a lab's region. */
export function forLcore(lab: HostLab): LcoreRegion {
  return {
    memory: lab.memory.handle,
    geometry: lab.laidOut.geometry,
    mempool: lab.mempool.handle,
    ledger: lab.ledger.buffer,
    outstanding: lab.outstanding.buffer,
    writers: 2,
    holdMax: lab.laidOut.geometry.count,
    several: false,
    frameMax: lab.laidOut.frameMax,
    vectors: [],
    laterVectors: [],
  };
}
