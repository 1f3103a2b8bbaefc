import { CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { ChannelPlace } from "../channel/channel.ts";
import { Outstanding } from "../channel/outstanding.ts";
import { Ledger } from "../channel/ledger.ts";
import type { HostedMemory } from "../region/hosted_memory.ts";
import { CHANNEL, HEADER } from "../memory/layout.ts";
import { Mbufs } from "../mempool/mbuf.ts";
import { Mempool } from "../mempool/mempool.ts";
import { COUNTER, type Counters } from "../port/counters.ts";
import type { OpenedPort } from "../port/open_port.ts";
import { Gate } from "./gate.ts";
import { GuestSupervisor } from "./guest_supervisor.ts";
import type { LcoreRegion } from "./host_lcore.ts";
import type { LaidOutGuest, LaidOutRegion } from "./host_plan.ts";
import { QUARANTINE_AFTER, ViolationCounters } from "./violation_counters.ts";
import { RegionPeers } from "./region_peers.ts";

/** A port of a host, with its channel to a guest. */
export interface HostedPort {
  /** Open, on its way to its lcore. */
  readonly opened: OpenedPort;
  /** The channel. */
  readonly place: ChannelPlace;
  /** Written by its lcore. */
  readonly counters: Counters;
  /** The lcore that runs it, from 0. */
  readonly lcore: number;
}

/** A guest's place, as the main thread looks after it. */
export interface HostedGuest {
  /** Its number in the region. */
  readonly number: number;
  /** By virtual port. */
  readonly ports: readonly HostedPort[];
  /** The lcores that have ports of it: each acknowledges at the gate by its place in this list. */
  readonly lcores: readonly number[];
  /** In front of it. */
  readonly gate: Gate;
  /** Follows its life. */
  readonly supervisor: GuestSupervisor;
  /** What it has done wrong. */
  readonly violations: ViolationCounters;
}

/** What a {@linkcode HostedRegion} is made of. */
export interface HostedRegionParts {
  /** Its name or path. */
  readonly name: string;
  /** Its memory. */
  readonly hosted: HostedMemory;
  /** What lies in it. */
  readonly laidOut: LaidOutRegion;
  /** For each guest of `laidOut` its ports. */
  readonly ports: readonly (readonly HostedPort[])[];
  /** What the log calls a guest of this number. */
  readonly guestName: (guest: number) => string;
  /** Told what happens, a line at a time, and whether that is so rare that it must not be lost among others. */
  readonly log: (line: string, isRare?: boolean) => void;
  /** Violations after which a guest is put in quarantine, 0 for never; {@linkcode QUARANTINE_AFTER} if left out. */
  readonly quarantineAfter?: number;
  /** Mbufs that one guest may hold; if left out its share, all divided by the guests. */
  readonly holdMax?: number;
  /** Whether to wipe all mbufs when a guest has gone. For regions with one place, where nobody else is. */
  readonly wipe?: boolean;
}

/** One region of a host, as its main thread sees it: memory, mempool, ledger, the guests' lives. */
export class HostedRegion {
  /** In the order of the plan. */
  readonly guests: readonly HostedGuest[];
  /** What its lcores are sent. */
  readonly forLcores: LcoreRegion;
  readonly #parts: HostedRegionParts;
  readonly #mempool: Mempool;
  readonly #peers: RegionPeers;
  readonly #outstanding: Outstanding;
  readonly #writers: number;
  readonly #counters: { from: Counters; to: Float64Array }[];

  /** Laid out, but not yet open to guests: that is {@linkcode publish}. */
  constructor(parts: HostedRegionParts) {
    this.#parts = parts;
    const { hosted: { memory, peer, reconnector }, laidOut: { geometry, frameMax } } = parts;
    new Mbufs(memory, geometry); // tells the shim where mbufs lie, before lcores ask
    this.#mempool = Mempool.create(geometry.count, 0);
    const log = (line: string) => parts.log(`region ${parts.name}: ${line}`);
    this.#peers = new RegionPeers(peer, log, reconnector?.(log));
    this.#tellPeer();
    const ports = parts.ports.flat();
    const several = new Set(ports.map(({ lcore }) => lcore)).size > 1;
    const owners = new SharedArrayBuffer(geometry.count);
    const ledger = new Ledger(owners, geometry, frameMax, several);
    const { guests } = parts.laidOut;
    this.#writers = Math.max(...ports.map(({ lcore }) => lcore)) + 2;
    this.#outstanding = Outstanding.create(
      Math.max(...guests.map((g) => g.number)) + 1,
      this.#writers,
    );
    this.guests = guests.map((guest, i) => this.#host(guest, parts.ports[i], ledger));
    this.forLcores = {
      memory: memory.handle,
      geometry,
      mempool: this.#mempool.handle,
      ledger: owners,
      outstanding: this.#outstanding.buffer,
      writers: this.#writers,
      holdMax: parts.holdMax ?? Math.floor(geometry.count / guests.length),
      several,
      frameMax,
      vectors: this.#peers.vectors,
      laterVectors: this.#peers.laterVectors,
    };
    this.#counters = ports.map(({ place, counters }) => {
      const byte = memory.u32.byteOffset + place.channel + CHANNEL.COUNTERS * 4;
      return { from: counters, to: new Float64Array(memory.u32.buffer, byte, COUNTER.COUNT) };
    });
  }

  /** Its name or path. */
  get name(): string {
    return this.#parts.name;
  }

  /** Its server's socket, or its file. */
  get path(): string {
    return this.#parts.hosted.path;
  }

  /** Its size. */
  get bytes(): number {
    return this.#parts.hosted.memory.bytes;
  }

  /** Mbufs that are free, but for those in the caches of lcores; and all. */
  get mbufs(): { available: number; total: number } {
    return { available: this.#mempool.available, total: this.#mempool.handle.total };
  }

  /** A line for each guest that has made violations: what, and whether it is in quarantine. */
  get offences(): string[] {
    return this.guests.filter(({ violations }) => violations.text !== "")
      .map(({ number, violations, supervisor }) => {
        const where = supervisor.isQuarantined ? " (in quarantine)" : "";
        return `${this.#parts.guestName(number)}${where}: ${violations.text}`;
      });
  }

  /** Open it to guests. */
  publish(): void {
    this.#parts.laidOut.region.publish();
  }

  /**
   * Look after guests and the region's peers. `now` is a clock in milliseconds.
   *
   * @throws {CulvertError} if its file was cut short: what was in it is gone.
   */
  step(now: number): void {
    this.#checkFile();
    this.#peers.poll();
    this.#tellPeer();
    this.#parts.laidOut.region.beat();
    for (const { supervisor } of this.guests) supervisor.step(now);
    this.#endQuiesced();
    this.#peers.release((eventfds) =>
      this.guests.some(({ supervisor }) => supervisor.uses(eventfds))
    );
  }

  #isReplaced = false;

  #checkFile(): void {
    const trouble = this.#parts.hosted.trouble?.();
    if (trouble === "cut") {
      throw new CulvertError(
        `Cannot go on with region ${this.name} as its file was cut short: see who may write ` +
          `there, or use a region by NAME, which is sealed`,
      );
    }
    if (trouble === undefined || this.#isReplaced) return;
    this.#isReplaced = true;
    this.#parts.log(`the file of region ${this.name} was removed or replaced: nobody can join`);
  }

  /** Write what is counted into the region, for `culvert inspect`. */
  showCounters(): void {
    for (const { from, to } of this.#counters) to.set(from);
    this.#parts.hosted.memory.u32[HEADER.MBUFS_FREE] = this.#mempool.available;
  }

  /** From now on let no guest in. */
  withdraw(): void {
    this.#parts.laidOut.region.withdraw();
    for (const { supervisor } of this.guests) supervisor.admitNobody();
    this.#parts.hosted.withdraw();
  }

  /** Tell guests that this host goes away. */
  close(): void {
    this.#parts.laidOut.region.close();
  }

  /** Give back the memory beside the region's. All lcores must have returned. */
  dispose(): void {
    for (const { gate } of this.guests) gate.dispose();
    this.#peers.close();
    new MappedMemory(this.#mempool.handle.memory).close();
  }

  /** Who the host is, for guests to wake it: another peer once its server has gone and come again. */
  #tellPeer(): void {
    const { id } = this.#peers;
    const word = id === undefined ? 0 : id + 1;
    const { memory } = this.#parts.hosted;
    if (memory.u32[HEADER.HOST_PEER] !== word) memory.store(HEADER.HOST_PEER, word);
  }

  /** What is withheld for guests that may only be paused is taken back before other guests run short. */
  #endQuiesced(): void {
    if (!this.guests.some(({ supervisor }) => supervisor.isQuiesced)) return;
    if (this.#mempool.available >= this.#mempool.handle.total >>> 3) return;
    if (!this.guests.some(({ supervisor }) => supervisor.isOpen)) return;
    for (const { supervisor } of this.guests) supervisor.takeBack();
  }

  #wipe(): void {
    const { hosted: { memory }, laidOut: { geometry: { offset, stride, count } } } = this.#parts;
    memory.u32.fill(0, offset >>> 2, (offset + stride * count) >>> 2);
  }

  #host(
    { number, state }: LaidOutGuest,
    ports: readonly HostedPort[],
    ledger: Ledger,
  ): HostedGuest {
    const lcores = [...new Set(ports.map(({ lcore }) => lcore))];
    const gate = Gate.create(lcores.length);
    const limit = this.#parts.quarantineAfter ?? QUARANTINE_AFTER;
    const violations = new ViolationCounters(ports.map(({ counters }) => counters), limit);
    const supervisor = new GuestSupervisor({
      guest: number,
      name: this.#parts.guestName(number),
      state,
      gate,
      ledger,
      mempool: this.#mempool,
      peers: this.#peers,
      violations,
      takenBack: (mbufs) => this.#outstanding.of(number, this.#writers - 1).add(-mbufs),
      wipe: this.#parts.wipe ? () => this.#wipe() : undefined,
      wakeLcores: () => this.forLcores.vectors.forEach((fd) => shim.shim_eventfd_signal(fd)),
      log: this.#parts.log,
    });
    return { number, ports, lcores, gate, supervisor, violations };
  }
}
