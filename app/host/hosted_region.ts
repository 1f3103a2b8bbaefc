import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { Ledger } from "../channel/ledger.ts";
import { Outstanding } from "../channel/outstanding.ts";
import { CHANNEL, HEADER } from "../memory/layout.ts";
import { cellsIn, Mbufs } from "../mempool/mbuf.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { COUNTER, type Counters } from "../port/counters.ts";
import { closeUmem, registerMbufs, type Umem } from "../port/xdp_umem.ts";
import type { HostedMemory } from "../region/hosted_memory.ts";
import { Gate } from "./gate.ts";
import { GuestSupervisor, type SupervisedRegion } from "./guest_supervisor.ts";
import type { RegionHandle } from "./host_lcore.ts";
import type { HostOptions, RegionOptions } from "./host_options.ts";
import type { HostedPort } from "./hosted_ports.ts";
import { type LaidOutGuest, type LaidOutRegion, layOut } from "./lay_out.ts";
import { MbufShortage } from "./mbuf_shortage.ts";
import type { Names } from "./names.ts";
import { createMempool, disposeMempool } from "./region_mempool.ts";
import { RegionPeers } from "./region_peers.ts";
import type { CountedMbufs } from "./summary.ts";
import { QUARANTINE_AFTER, ViolationCounters } from "./violation_counters.ts";

/** A guest's place, as the main thread looks after it. */
export interface HostedGuest extends LaidOutGuest {
  /** By virtual port and queue, as are its channels' `places`. */
  readonly ports: readonly HostedPort[];
  /** Where the ports are captured: their places in the capture area, if there is one. */
  readonly points: readonly number[];
  /** The lcores that have ports of it: each acknowledges at the gate by its place in this list. */
  readonly lcores: readonly number[];
  /** The gate in front of it. */
  readonly gate: Gate;
  /** Follows its states. */
  readonly supervisor: GuestSupervisor;
  /** Its violations, by kind. */
  readonly violations: ViolationCounters;
}

/** One region of a host, as its main thread sees it: memory, mempool, ledger, the guests' lives. */
export class HostedRegion implements SupervisedRegion {
  /** Its guests, in the order of the options. */
  readonly guests: readonly HostedGuest[];
  /** What lcores need to know of it. */
  readonly handle: RegionHandle;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly peers: RegionPeers;
  readonly wipe?: () => void;
  readonly #outstanding: Outstanding;
  readonly #umem?: Umem;
  readonly #laidOut: LaidOutRegion;
  readonly #counters: { from: Counters; to: Float64Array }[];
  readonly #names: Names;
  readonly #shortage: MbufShortage;

  /**
   * Lay the region out. It is not open to guests before {@linkcode publish}.
   *
   * @param ports For each guest of `options` its ports.
   * @param before The same region of the host before this one.
   * @throws {CulvertError} if the memory is too small.
   */
  constructor(
    private readonly options: RegionOptions,
    host: HostOptions,
    private readonly hosted: HostedMemory,
    ports: readonly (readonly HostedPort[])[],
    names: Names,
    readonly log: Log,
    before?: HostedRegion,
  ) {
    const { holdMax, quarantineAfter = QUARANTINE_AFTER, wipe, debugPool } = host;
    const { memory, peer, reconnector } = hosted;
    const { geometry, frameMax, guests } = this.#laidOut = layOut(memory, options, host, ports);
    new Mbufs(memory, geometry); // tells the shim where mbufs lie, before lcores ask
    this.#names = names;
    if (wipe) this.wipe = () => this.#wipe();
    const ownLog: Log = (line, about) => log(`region ${this.name}: ${line}`, about);
    this.peers = new RegionPeers(peer, ownLog, reconnector?.(ownLog));
    this.#tellPeer();

    const all = ports.flat();
    const xdpPorts = all.filter(({ opened }) => opened.setup.kind === "xdp").length;
    this.#umem = xdpPorts > 0 ? registerMbufs(memory, geometry, xdpPorts) : undefined;
    this.#shortage = new MbufShortage(all.map(({ counters }) => counters), ownLog);
    const lcores = all.map(({ lcore }) => lcore);
    const shared = new Set(lcores).size > 1;
    const owners = new SharedArrayBuffer(cellsIn(geometry));
    this.ledger = new Ledger(owners, geometry, frameMax, shared);
    const onProblem = debugPool ? ({ message }: { message: string }) => ownLog(message) : undefined;
    this.mempool = createMempool(geometry, onProblem);
    const mostHeld = holdMax ?? Math.floor(geometry.count / guests.length);
    this.#outstanding = Outstanding.create(
      Math.max(...guests.map(({ number }) => number)) + 1,
      Math.max(...lcores) + 2,
      mostHeld < geometry.count ? mostHeld : Infinity,
    );
    const capture = hosted.capture?.(
      guests.flatMap(({ number }, i) =>
        ports[i].map(({ opened, port, queue, queues }) => ({
          ...{ name: opened.setup.name, guest: number, port, frameMax },
          ...queues > 1 ? { queue } : {},
        }))
      ),
    );
    const points = [...capture?.points ?? []];
    this.guests = guests.map((guest, i) => {
      const last = before?.guests.find(({ number }) => number === guest.number);
      const wasQuarantined = last?.supervisor.isQuarantined;
      const hosted = this.#host(guest, ports[i], quarantineAfter, wasQuarantined);
      return { ...hosted, points: points.splice(0, ports[i].length) };
    });
    this.handle = {
      name: this.name,
      memory: memory.handle,
      geometry,
      mempool: this.mempool.handle,
      ledger: owners,
      shared,
      outstanding: this.#outstanding.handle,
      longMax: guests.length > 1 ? Math.floor((geometry.long ?? 0) / guests.length) : Infinity,
      frameMax,
      umem: this.#umem,
      vectors: this.peers.vectors,
      laterVectors: this.peers.laterVectors,
      capture: capture?.memory.handle,
    };
    const places = guests.flatMap((guest) => guest.places);
    this.#counters = all.map(({ counters }, i) => {
      const byte = memory.u32.byteOffset + places[i].channel + CHANNEL.COUNTERS * 4;
      return { from: counters, to: new Float64Array(memory.u32.buffer, byte, COUNTER.COUNT) };
    });
  }

  /** Its name or path. */
  get name(): string {
    return this.options.name;
  }

  /** Its server's socket, or its file. */
  get path(): string {
    return this.hosted.path;
  }

  /** Its size. */
  get bytes(): number {
    return this.hosted.memory.bytes;
  }

  /** Free mbufs, but for those in lcores' caches, and all mbufs; the same for long ones. */
  get mbufs(): CountedMbufs {
    const { available, handle: { total }, long } = this.mempool;
    const counted = { name: this.name, available, total };
    if (long === undefined) return counted;
    return { ...counted, long: { available: long.available, total: long.handle.total } };
  }

  /** A line for each guest that has made violations: what, and whether it is in quarantine. */
  get offences(): string[] {
    return this.guests
      .filter(({ violations, supervisor }) => violations.text !== "" || supervisor.isQuarantined)
      .map(({ number, violations, supervisor }) => {
        const where = supervisor.isQuarantined ? " (in quarantine)" : "";
        const what = violations.text || "as before the host's last change";
        return `${this.#names.guest(this.name, number)}${where}: ${what}`;
      });
  }

  /** Open the region to guests. */
  publish(): void {
    this.#laidOut.region.publish();
  }

  /**
   * Look after guests and the region's peers. `now` is a clock in milliseconds.
   *
   * @throws {CulvertError} if its file was cut short: what was in it is gone.
   */
  step(now: number): void {
    this.#checkFile();
    this.peers.poll(now);
    this.#tellPeer();
    this.#laidOut.region.beat();
    for (const { supervisor } of this.guests) supervisor.step(now);
    this.#endQuiesced();
    this.peers.release((eventfds) =>
      this.guests.some(({ supervisor }) => supervisor.uses(eventfds))
    );
  }

  #isReplaced = false;

  #checkFile(): void {
    const trouble = this.hosted.trouble?.();
    if (trouble === "cut") {
      throw new CulvertError(
        `Cannot go on with region ${this.name} as its file was cut short: see who may write ` +
          `there, or use a region by NAME, which is sealed`,
      );
    }
    if (trouble === undefined || this.#isReplaced) return;
    this.#isReplaced = true;
    const what = `the file of region ${this.name} was removed or replaced`;
    this.log(`${what}: nobody can join`, { level: "warning" });
  }

  /** Write what is counted into the region, for `culvert inspect`; log who holds all mbufs. */
  showCounters(now: number): void {
    for (const { from, to } of this.#counters) {
      from[COUNTER.SHOWN_MS] = now;
      to.set(from);
    }
    this.hosted.memory.u32[HEADER.MBUFS_FREE] = this.mempool.available;
    for (const { number, state } of this.guests) {
      state.outstanding = this.#outstanding.mbufsOf(number);
    }
    this.#shortage.step(
      now,
      this.mbufs,
      this.guests.map(({ number }) => ({
        name: this.#names.guest(this.name, number),
        mbufs: this.#outstanding.mbufsOf(number),
      })),
    );
  }

  /** From now on let no guest in. */
  withdraw(): void {
    this.#laidOut.region.withdraw();
    for (const { supervisor } of this.guests) supervisor.admitNobody();
  }

  /** Tell guests that this host goes away. */
  close(): void {
    this.#laidOut.region.close();
  }

  /** Give back the memory beside the region's. All lcores must have returned. */
  dispose(): void {
    for (const { gate } of this.guests) gate.dispose();
    this.peers.close();
    if (this.#umem) closeUmem(this.#umem);
    disposeMempool(this.mempool);
  }

  wakeLcores(): void {
    for (const fd of this.peers.vectors) shim.shim_eventfd_signal(fd);
  }

  /** Tell guests which peer the host is: another one once its server has gone and come again. */
  #tellPeer(): void {
    const { id } = this.peers;
    const word = id === undefined ? 0 : id + 1;
    const { memory } = this.hosted;
    if (memory.u32[HEADER.HOST_PEER] !== word) memory.store(HEADER.HOST_PEER, word);
  }

  /**
   * Take back mbufs that are withheld for guests that may be paused, before other guests run short.
   */
  #endQuiesced(): void {
    if (!this.guests.some(({ supervisor }) => supervisor.isQuiesced)) return;
    if (this.mempool.available >= this.mempool.handle.total >>> 3) return;
    if (!this.guests.some(({ supervisor }) => supervisor.isOpen)) return;
    for (const { supervisor } of this.guests) supervisor.takeBack();
  }

  #wipe(): void {
    const { geometry } = this.#laidOut;
    const { offset, stride } = geometry;
    this.hosted.memory.u32.fill(0, offset >>> 2, (offset + stride * cellsIn(geometry)) >>> 2);
  }

  #host(
    laidOut: LaidOutGuest,
    ports: readonly HostedPort[],
    quarantineAfter: number,
    wasQuarantined = false,
  ): Omit<HostedGuest, "points"> {
    const { number } = laidOut;
    const lcores = [...new Set(ports.map(({ lcore }) => lcore))];
    const gate = Gate.create(lcores.length);
    const counters = ports.map(({ counters }) => counters);
    const violations = new ViolationCounters(counters, quarantineAfter);
    const supervisor = new GuestSupervisor(this, {
      ...laidOut,
      name: this.#names.guest(this.name, number),
      gate,
      violations,
      isQuarantined: wasQuarantined && quarantineAfter > 0,
      outstanding: this.#outstanding.of(number, this.#outstanding.handle.writers - 1),
    });
    return { ...laidOut, ports, lcores, gate, supervisor, violations };
  }
}
