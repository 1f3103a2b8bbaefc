import { COMMAND, CommandWord } from "../lcore/command.ts";
import type { Lcore, LcoreThread } from "../lcore/lcore.ts";
import { COUNTER, type Counters } from "../port/counters.ts";
import { closeLent } from "../port/kept_ports.ts";
import type { HostedMemory } from "../region/hosted_memory.ts";
import { Drain, DRAIN_MS } from "./drain.ts";
import type { HostLcoreHandle } from "./host_lcore.ts";
import type { HostOptions } from "./host_options.ts";
import type { HostPlatform } from "./host_platform.ts";
import {
  type HostedPort,
  openedBy,
  openPorts,
  portsText,
  restorePorts,
  summedPorts,
} from "./hosted_ports.ts";
import { type HostedGuest, HostedRegion } from "./hosted_region.ts";
import { InterfaceWatch } from "./interface_watch.ts";
import { namesFor } from "./names.ts";
import { ProgressWatch } from "./progress_watch.ts";
import { type CountedPort, summaryText } from "./summary.ts";

/** Milliseconds between two steps: while somebody comes or goes, while frames move, otherwise. */
const STEP_MS = 10, BUSY_STEP_MS = 100, QUIET_STEP_MS = 250;

/** Milliseconds between two times that counters are written into the regions. */
const COUNTERS_MS = 100;

/**
 * Where a host is in its life: forwarding; waiting for frames that are with guests; cutting guests
 * off; waiting for its lcores to end; over.
 */
type Phase = "forwarding" | "draining" | "cutting off" | "stopping" | "over";

/**
 * A host: lcores forward, while the main thread looks after guests, servers and counters.
 *
 * Nothing in it waits: {@linkcode step} does what is due, several times a second, until
 * {@linkcode isOver}. In programs, `runHost()` calls it.
 */
export class Host {
  /** In the order of the options. */
  readonly regions: readonly HostedRegion[];
  /** Of all regions and guests, in the order of the options; each queue of a port is one. */
  readonly ports: readonly HostedPort[];
  readonly #guests: readonly HostedGuest[];
  readonly #command = CommandWord.create();
  readonly #threads: readonly LcoreThread<HostLcoreHandle>[];
  #lcores: readonly Lcore[] = [];
  #phase: Phase = "forwarding";
  #why = "";
  #drain?: Drain;
  #countersAt = 0;
  /** Frames that ports had received and sent at the last step, and whether more have come. */
  #moved = 0;
  #isBusy = false;
  readonly #interfaces: InterfaceWatch;
  #progress?: ProgressWatch;

  /**
   * Open the ports, lay out the regions, begin to load the lcores.
   *
   * @param memories For each region its memory, which the caller closes after the host.
   * @param before The host before this one: its counters go on, and its quarantines.
   * @throws {CulvertError} if a port or a region cannot be set up. Interfaces are as they were
   * before.
   */
  constructor(
    readonly options: HostOptions,
    memories: readonly HostedMemory[],
    private readonly platform: HostPlatform,
    before?: Host,
  ) {
    const { regions, cores } = options;
    const { openPort, spawn, log } = platform;
    const names = namesFor(regions);
    const ports = openPorts(options, names, openPort, log, before?.ports);
    this.ports = ports.flat(2);
    this.summedPorts = summedPorts(this.ports);
    const laidOut: HostedRegion[] = [];
    try {
      for (const [i, region] of regions.entries()) {
        const last = before?.regions.find(({ name }) => name === region.name);
        laidOut.push(new HostedRegion(region, options, memories[i], ports[i], names, log, last));
      }
    } catch (error) {
      for (const region of laidOut) region.dispose();
      this.ports.flatMap(openedBy).forEach(closeLent);
      this.#restorePorts();
      throw error;
    }
    this.regions = laidOut;
    this.#interfaces = new InterfaceWatch(this.summedPorts, options.mtu, log);
    this.#guests = this.regions.flatMap(({ guests }) => guests);
    const used = Math.max(...this.ports.map(({ lcore }) => lcore)) + 1;
    this.#threads = cores.slice(0, used).map((core) => spawn(core));
  }

  /** The {@linkcode ports}, with the queues of each summed. */
  readonly summedPorts: readonly (HostedPort & CountedPort)[];

  /** The counters of all {@linkcode ports}; they go on counting. */
  get counters(): Counters[] {
    return this.ports.map(({ counters }) => counters);
  }

  /** Settles when all lcores can be started; rejects if one never can. */
  async ready(): Promise<void> {
    await Promise.all(this.#threads.map(({ ready }) => ready));
  }

  /**
   * Start the lcores, and open the regions to guests.
   *
   * @param isHeld Whether frames wait in ports until {@linkcode release}.
   */
  start(isHeld = false): void {
    if (isHeld) this.#command.hold();
    this.#lcores = this.#threads.map((thread, lcore) =>
      thread.run(this.#command, this.#handleOf(lcore))
    );
    const { log } = this.platform;
    const cores = this.#threads.map(({ core }) => core);
    log(`forwarding on core ${cores.join(", ")}, ports: ${portsText(this.ports)}`);
    for (const { name, opened: { note } } of this.ports) if (note) log(`port ${name}: ${note}`);
    const begun = this.platform.clock();
    for (const region of this.regions) region.showCounters(begun); // or no mbuf would seem free
    for (const region of this.regions) region.publish();
    this.#progress = new ProgressWatch(this.regions, this.ports, cores, begun, log);
    for (const { name, path, bytes, handle: { vectors } } of this.regions) {
      log(`region ${name} is ready: ${path === name ? "" : `${path}, `}${bytes / 2 ** 20} MiB`);
      const lcores = this.#lcores.length;
      if (!path.endsWith(".sock") || vectors.length >= lcores) continue;
      log(
        `the server of region ${name} gives ${vectors.length} interrupt vectors: lcores from ` +
          `${vectors.length} on nap, as nothing wakes them (culvert server -n ${lcores})`,
      );
    }
  }

  /** Take frames from ports from now on. */
  release(): void {
    if (!this.isStopping) this.#command.release();
  }

  /** Settles when all lcores have ended; rejects if one has failed. */
  async lcoresEnd(): Promise<void> {
    const lcores = this.#lcores.map(({ done }) => done);
    await Promise.allSettled(lcores);
    await Promise.all(lcores);
  }

  /** Milliseconds until the next {@linkcode step} is due. */
  get stepMs(): number {
    const now = this.platform.clock();
    const isMoving = this.#guests.some(({ supervisor }) => supervisor.isMoving);
    const mayMove = this.regions.some(({ peers }) => peers.hasNewcomer(now));
    if (this.#phase !== "forwarding" || isMoving || mayMove) return STEP_MS;
    return this.#isBusy ? BUSY_STEP_MS : QUIET_STEP_MS;
  }

  /** Whether the host is about to stop, or has stopped. */
  get isStopping(): boolean {
    return this.#phase !== "forwarding";
  }

  /** Whether the host has stopped, and all lcores have ended. */
  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** Whether all lcores come round their loops. */
  get isMoving(): boolean {
    return this.#progress?.isMoving ?? true;
  }

  /**
   * Do what is due.
   *
   * @throws {CulvertError} if a region's file was cut short: all that is left is to {@linkcode
   * abort}.
   */
  step(): void {
    const now = this.platform.clock();
    if (this.#phase === "stopping") this.#endIfStopped();
    if (this.isOver || this.#phase === "stopping") return;
    for (const region of this.regions) region.step(now);
    const moved = this.counters.reduce((n, its) => n + its[COUNTER.RX] + its[COUNTER.TX], 0);
    this.#isBusy = moved !== this.#moved;
    this.#moved = moved;
    if (now - this.#countersAt >= COUNTERS_MS) {
      this.#countersAt = now;
      for (const region of this.regions) region.showCounters(now);
    }
    this.#interfaces.step(now);
    this.#progress?.step(now);
    const hasFailed = this.#lcores.some(({ isDone }) => isDone);
    if (hasFailed) this.stop();
    if (this.#phase === "draining") {
      if (hasFailed || this.#drain!.isOver(now)) this.#cutOff();
    } else if (this.#phase === "cutting off") {
      if (hasFailed || this.#guests.every(({ supervisor }) => supervisor.isClosed)) this.abort();
    }
  }

  /**
   * Begin to stop: let no guest in, take no more frames from ports, wait for those under way.
   *
   * @param why The reason that the log gives for each guest that is cut off.
   * @param drainMs Milliseconds to wait for frames that are under way.
   */
  stop(why = "the host stops", drainMs: number = DRAIN_MS): void {
    if (this.#phase !== "forwarding") return;
    this.#why = why;
    this.#phase = "draining";
    this.#drain = new Drain(this.#guests, this.ports, this.platform.clock() + drainMs);
    // Before anything else: a guest that is cut off would find this host again.
    for (const region of this.regions) region.withdraw();
    this.#command.value = COMMAND.DRAIN;
  }

  /** Stop the lcores at once, and tell guests that this host goes away. */
  abort(): void {
    if (this.#phase === "stopping" || this.isOver) return;
    this.#phase = "stopping";
    this.#command.value = COMMAND.STOP;
    for (const region of this.regions) region.close();
  }

  /** What was received, forwarded and dropped. */
  get summary(): string {
    const regions = this.regions.map(({ mbufs }) => mbufs);
    return summaryText(this.ports, regions, this.regions.flatMap(({ offences }) => offences));
  }

  /** Restore interfaces, and give up all but the regions. No lcore may be running. */
  close(): void {
    for (const thread of this.#threads) thread.close();
    for (const region of this.regions) region.dispose();
    this.#command.close();
    this.#restorePorts();
  }

  #cutOff(): void {
    this.#phase = "cutting off";
    for (const { supervisor } of this.#guests) supervisor.close(`is cut off: ${this.#why}`);
  }

  #endIfStopped(): void {
    if (!this.#lcores.every(({ isDone }) => isDone)) return;
    this.#phase = "over";
    for (const { supervisor, ports: [{ counters }] } of this.#guests) {
      counters[COUNTER.GUEST_LOST] += supervisor.lost;
    }
    for (const region of this.regions) region.showCounters(this.platform.clock());
  }

  #restorePorts(): void {
    restorePorts(this.ports.flatMap(openedBy), this.platform.log);
  }

  /** What lcore number `lcore` receives: its ports, and the guests and regions behind them. */
  #handleOf(lcore: number): HostLcoreHandle {
    const isUsed = ({ lcores }: HostedGuest) => lcores.includes(lcore);
    const regions = this.regions.filter(({ guests }) => guests.some(isUsed));
    const guests = regions.flatMap((region, at) =>
      region.guests.filter(isUsed).map((guest) => ({ guest, region: at }))
    );
    const lanes = guests.flatMap(({ guest: { ports, places, points } }, at) =>
      ports.map((port, i) => ({ guest: at, port, place: places[i], point: points[i] }))
    );
    return {
      lcore,
      regions: regions.map(({ handle }) => handle),
      guests: guests.map(({ guest: { number, gate, lcores }, region }) => ({
        region,
        number,
        gate: gate.handle,
        follower: lcores.indexOf(lcore),
      })),
      lanes: lanes.filter(({ port }) => port.lcore === lcore).map((
        { guest, port, place, point },
      ) => ({
        guest,
        setup: port.opened.setup,
        mirror: port.mirror?.setup,
        point,
        place,
        counters: port.counters,
      })),
      idle: this.options.idle,
      burst: this.options.burst,
    };
  }
}
