import { CulvertError } from "../../ffi/error.ts";
import { COMMAND, CommandWord } from "../lcore/command.ts";
import { type Lcore, LcoreWorker } from "../lcore/lcore.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { hasLostKeeper } from "../linux/privileges.ts";
import { type HostedMemory, hostRegionMemory } from "../region/hosted_memory.ts";
import { giveUpRunning } from "../region/start_server.ts";
import { HEADER, REGION_STATE } from "../memory/layout.ts";
import { bindToNode } from "../linux/numa.ts";
import { COUNTER, type Counters, newCounters } from "../port/counters.ts";
import { type OpenedPort, openPort } from "../port/open_port.ts";
import type { PortSpec } from "../port/port_spec.ts";
import { dealPorts } from "./deal_ports.ts";
import type { HostLcoreInit } from "./host_lcore.ts";
import type { HostOptions, RegionOptions } from "./host_options.ts";
import { type LaidOutRegion, layOut } from "./host_plan.ts";
import { type HostedGuest, HostedRegion } from "./hosted_region.ts";
import { lcoreInit } from "./lcore_init.ts";
import { namesFor } from "./names.ts";
import { type CountedPort, LiveTable, summaryText } from "./summary.ts";

/** Between two looks at guests: while one is coming or going, and otherwise. */
const STEP_MS = 10, QUIET_STEP_MS = 100;
const DRAIN_MS = 500;
/** Interrupt vectors of a peer, where we start the server: for so many lcores at least. */
const VECTORS_MIN = 4;
/** Between two times that counters are written into the regions. */
const COUNTERS_MS = 100;

const LOST_KEEPER =
  "the keeper has ended: forwarding goes on, but an interface that is made anew is not " +
  "opened, and what is to be undone in the end stays as it is";

/**
 * Forward between ports and guests until `signal` says stop; then bring home what is under way.
 *
 * @param lcoreUrl The module of the lcores.
 * @param log Told what happens, a line at a time.
 * @param observe Given the counters of all ports in the order of the options; they go on counting.
 * @param settled Called once all is set up, before the first frame: what that needed may be given up.
 * @returns the summary.
 * @throws {CulvertError} if a port or a region cannot be set up. Nothing is left behind.
 */
export async function runHost(
  options: HostOptions,
  lcoreUrl: URL,
  signal: AbortSignal,
  log: (line: string) => void,
  observe: (counters: readonly Counters[]) => void = () => {},
  settled: () => void = () => {},
): Promise<string> {
  const memories: HostedMemory[] = [];
  const ports: OpenedPort[] = [];
  const open = (spec: PortSpec) => {
    const port = openPort(spec, options.mtu);
    ports.push(port);
    return port;
  };
  try {
    const vectors = Math.max(VECTORS_MIN, options.cores.length);
    for (const region of options.regions) {
      memories.push(await hostMemory(region, vectors, options.account));
    }
    giveUpRunning();
    const opened = options.regions.map((region, i) => {
      const hosted = memories[i];
      const guests = region.guests.map(({ number, ports }) => ({ number, ports: ports.map(open) }));
      const plan = { mbufs: region.mbufs, mtu: options.mtu, ringSize: region.ringSize };
      return { region, hosted, guests, laidOut: layOut(hosted.memory, region.name, plan, guests) };
    });
    const host = new Host(options, lcoreUrl, opened, log);
    observe(host.counters);
    return await host.run(signal, settled);
  } finally {
    try {
      restoreAll(ports, log);
    } finally {
      for (const hosted of memories) {
        abandon(hosted);
        hosted.close();
      }
    }
  }
}

async function hostMemory(
  { name, size, numaNode }: RegionOptions,
  vectors: number,
  account: HostOptions["account"],
): Promise<HostedMemory> {
  const hosted = await hostRegionMemory(name, size, vectors, account);
  try {
    if (numaNode !== undefined) bindToNode(hosted.memory, numaNode);
    return hosted;
  } catch (error) {
    hosted.close();
    throw error;
  }
}

/** A region that was begun and not opened to guests is nobody's: its server need not wait for us. */
function abandon({ memory }: HostedMemory): void {
  if (memory.load(HEADER.STATE) !== REGION_STATE.BUILDING) return;
  memory.store(HEADER.STATE, REGION_STATE.CLOSED);
}

/** Leave interfaces as they were found, as far as they still let us. */
function restoreAll(opened: readonly OpenedPort[], log: (line: string) => void): void {
  for (const port of opened) {
    try {
      port.restore();
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      log(error.message);
    }
  }
}

/** A region whose ports are open. */
interface OpenedRegion {
  readonly region: RegionOptions;
  readonly hosted: HostedMemory;
  readonly guests: readonly { number: number; ports: readonly OpenedPort[] }[];
  readonly laidOut: LaidOutRegion;
}

/** A host at work: its lcores forward, its main thread looks after guests, sockets and the table. */
class Host {
  readonly #command = CommandWord.create();
  readonly #timer = new WakeableTimer();
  #hasEnded = false;
  readonly counters: Counters[];
  readonly #regions: HostedRegion[];
  readonly #guests: HostedGuest[];
  readonly #workers: LcoreWorker<HostLcoreInit, void>[];
  #lcores: Lcore<void>[] = [];
  readonly #counted: CountedPort[];
  readonly #table: LiveTable;

  constructor(
    private readonly options: HostOptions,
    lcoreUrl: URL,
    opened: readonly OpenedRegion[],
    private readonly log: (line: string) => void,
  ) {
    const ports = opened.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
    const dealt = dealPorts(ports.map(({ setup }) => setup), options.cores.length);
    this.counters = newCounters(ports.length);
    const names = namesFor(options.regions);
    let next = 0;
    this.#regions = opened.map(({ region: { name }, hosted, guests, laidOut }) =>
      new HostedRegion({
        name,
        hosted,
        laidOut,
        ports: guests.map(({ ports }, guest) =>
          ports.map((opened, port) => ({
            opened,
            place: laidOut.guests[guest].places[port],
            counters: this.counters[next],
            lcore: dealt[next++],
          }))
        ),
        guestName: (number) => names.guest(name, number),
        log,
        quarantineAfter: options.quarantineAfter,
        holdMax: options.holdMax,
        wipe: options.wipe,
      })
    );
    this.#guests = this.#regions.flatMap(({ guests }) => guests);
    this.#counted = this.#regions.flatMap((region) =>
      region.guests.flatMap(({ number, ports }) =>
        ports.map(({ opened: { setup }, counters }) => ({
          name: names.port(setup.name, region.name, number),
          counters,
        }))
      )
    );
    this.#table = new LiveTable(this.#counted);
    const cores = options.cores.slice(0, Math.max(...dealt) + 1);
    this.#workers = cores.map((core) => new LcoreWorker(lcoreUrl, core));
  }

  /** Modules are loaded with what we may do at first, frames are moved without that. */
  async #start(settled: () => void): Promise<void> {
    try {
      for (const { ready } of this.#workers) await ready;
      settled();
    } catch (error) {
      for (const worker of this.#workers) worker.close();
      throw error;
    }
    this.#lcores = this.#workers.map((worker, lcore) =>
      worker.run(this.#command, lcoreInit(lcore, this.#regions, this.options))
    );
    const cores = this.#workers.map(({ core }) => core).join(", ");
    const list = this.#counted.map(({ name }) => name).join(", ");
    this.log(`forwarding on core ${cores}, ports: ${list}`);
  }

  async run(signal: AbortSignal, settled: () => void): Promise<string> {
    await this.#start(settled);
    for (const region of this.#regions) region.publish();
    for (const { name, path, bytes, forLcores: { vectors } } of this.#regions) {
      this.log(`region ${name} is ready: ${path}, ${bytes / 2 ** 20} MiB`);
      if (!path.endsWith(".sock") || vectors.length >= this.#lcores.length) continue;
      this.log(
        `the server of region ${name} gives ${vectors.length} interrupt vectors: lcores from ` +
          `${vectors.length} on nap, as nothing wakes them (culvert server -n ${this.#lcores.length})`,
      );
    }
    const ended = Promise.all(this.#lcores.map((lcore) => lcore.done));
    const wake = () => this.#timer.wake();
    ended.catch(() => {}).finally(() => {
      this.#hasEnded = true;
      wake();
    });
    signal.addEventListener("abort", wake);
    let shown = performance.now();
    try {
      while (!signal.aborted && !this.#hasEnded) {
        await this.#timer.wait(this.#stepMs());
        this.#step();
        if (this.options.statsPeriod === 0) continue;
        if (performance.now() - shown < this.options.statsPeriod * 1000) continue;
        shown = performance.now();
        console.log(this.#table.text());
      }
      // Or a guest that is cut off finds this host again.
      for (const region of this.#regions) region.withdraw();
      await this.#drain();
    } finally {
      signal.removeEventListener("abort", wake);
      this.#command.value = COMMAND.STOP;
      for (const region of this.#regions) region.close();
      await Promise.allSettled(this.#lcores.map((lcore) => lcore.done));
    }
    await ended;
    const summary = this.#summary();
    for (const region of this.#regions) {
      region.showCounters();
      region.dispose();
    }
    this.#command.close();
    return summary;
  }

  #stepMs(): number {
    return this.#guests.some(({ supervisor }) => supervisor.isMoving) ? STEP_MS : QUIET_STEP_MS;
  }

  #wasDown: boolean[] = [];
  #countersAt = 0;

  #step(): void {
    const now = performance.now();
    for (const region of this.#regions) region.step(now);
    this.#tellPortsDown();
    if (hasLostKeeper()) this.log(LOST_KEEPER);
    if (now - this.#countersAt < COUNTERS_MS) return;
    this.#countersAt = now;
    for (const region of this.#regions) region.showCounters();
  }

  #tellPortsDown(): void {
    this.#counted.forEach(({ name, counters }, port) => {
      const isDown = counters[COUNTER.DOWN] === 1;
      if (isDown !== (this.#wasDown[port] ?? false)) {
        this.log(`port ${name} is ${isDown ? "down: its frames are dropped" : "up again"}`);
      }
      this.#wasDown[port] = isDown;
    });
  }

  /** No more frames from ports; wait for those that guests and links have, then for the guests' mbufs. */
  async #drain(): Promise<void> {
    this.#command.value = COMMAND.DRAIN;
    const end = performance.now() + DRAIN_MS;
    while (!this.#hasEnded && !this.#isQuiet() && performance.now() < end) {
      await this.#timer.wait(STEP_MS);
      this.#step();
    }
    for (const { supervisor } of this.#guests) supervisor.close("is cut off: the host stops");
    while (!this.#hasEnded && this.#guests.some(({ supervisor }) => !supervisor.isClosed)) {
      await this.#timer.wait(STEP_MS);
      for (const { supervisor } of this.#guests) supervisor.step(performance.now());
    }
  }

  /**
   * Whether no frame is with a guest or in a link. Frames move meanwhile, from where we have not looked
   * to where we have: then something was counted between the first look and the last.
   */
  #isQuiet(): boolean {
    const before = this.#sent();
    const isHeld = this.#guests.some(({ supervisor }) => supervisor.framesOut > 0);
    return !isHeld && this.#inLinks() === 0 && this.#sent() === before;
  }

  /** Frames that ports have sent. */
  #sent(): number {
    return this.counters.reduce((sum, counters) => sum + counters[COUNTER.TX], 0);
  }

  /** Frames that one end of a link has sent and the other not yet received. */
  #inLinks(): number {
    return this.#guests.flatMap(({ ports }) => ports)
      .filter(({ opened }) => opened.setup.kind === "link")
      .reduce((sum, { counters }) => sum + counters[COUNTER.TX] - counters[COUNTER.RX], 0);
  }

  #summary(): string {
    for (const { supervisor, ports: [{ counters }] } of this.#guests) {
      counters[COUNTER.GUEST_LOST] += supervisor.lost;
    }
    const regions = this.#regions.map(({ name, mbufs }) => ({ name, ...mbufs }));
    return summaryText(this.#counted, regions, this.#regions.flatMap((region) => region.offences));
  }
}
