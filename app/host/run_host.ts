import { CulvertError } from "../../ffi/error.ts";
import { Ledger } from "../channel/ledger.ts";
import { COMMAND, CommandWord } from "../lcore/command.ts";
import type { IdleMode } from "../lcore/idle.ts";
import { type Lcore, startLcore } from "../lcore/lcore.ts";
import { type HostedMemory, hostRegionMemory } from "../memory/hosted_memory.ts";
import { Mbufs } from "../mempool/mbuf.ts";
import { Mempool } from "../mempool/mempool.ts";
import { COUNTER, type Counters, newCounters } from "../port/counters.ts";
import { type OpenedPort, openPort } from "../port/open_port.ts";
import type { PortSpec } from "../port/port_spec.ts";
import { Gate } from "./gate.ts";
import { GuestSupervisor } from "./guest_supervisor.ts";
import { type LaidOutRegion, layOut } from "./host_plan.ts";
import type { HostLcoreInit } from "./host_lcore.ts";
import { LiveTable, summaryText } from "./summary.ts";

/** What a host is asked to do; see `culvert host --help`. */
export interface HostOptions {
  /** Opened, and numbered from 0, in this order. */
  readonly ports: readonly PortSpec[];
  /** A name or a path. */
  readonly region: string;
  /** Bytes. */
  readonly size: number;
  /** Mbufs for all ports together. */
  readonly mbufs: number;
  /** Bytes, of TAPs that are made, and what frames may be long. */
  readonly mtu: number;
  /** Slots of each ring, a power of two. */
  readonly ringSize: number;
  /** Cores to pin lcores to, one each. Ports are dealt to them in turn; the rest stay free. */
  readonly cores: readonly number[];
  /** What an lcore does in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
  /** Seconds between two tables; 0 for none. */
  readonly statsPeriod: number;
}

const STEP_MS = 10;
const DRAIN_MS = 500;

/**
 * Forward between ports and guests until `signal` says stop; then bring home what is under way.
 *
 * @param lcoreUrl The module of the lcores.
 * @param log Told what happens, a line at a time.
 * @param observe Given the ports' counters, which go on counting.
 * @returns the summary.
 * @throws {CulvertError} if a port or the region cannot be set up. Nothing is left behind.
 */
export async function runHost(
  options: HostOptions,
  lcoreUrl: URL,
  signal: AbortSignal,
  log: (line: string) => void,
  observe: (counters: readonly Counters[]) => void = () => {},
): Promise<string> {
  const hosted = hostRegionMemory(options.region, options.size);
  const opened: OpenedPort[] = [];
  try {
    for (const spec of options.ports) opened.push(openPort(spec, options.mtu));
    const laidOut = layOut(hosted.memory, options.region, options, opened);
    const host = new Host(options, lcoreUrl, hosted, opened, laidOut, log);
    laidOut.region.publish();
    observe(host.counters);
    log(`region ${options.region} is ready: ${hosted.path}, ${options.size / 2 ** 20} MiB`);
    return await host.run(signal);
  } finally {
    try {
      restoreAll(opened, log);
    } finally {
      hosted.close();
    }
  }
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

/** A host at work: its lcores forward, its main thread looks after guests, sockets and the table. */
class Host {
  readonly #command = CommandWord.create();
  readonly counters: Counters[];
  readonly #mempool: Mempool;
  readonly #lcores: Lcore<void>[];
  readonly #supervisor: GuestSupervisor;
  readonly #table: LiveTable;
  readonly #ledger: Ledger;

  constructor(
    private readonly options: HostOptions,
    lcoreUrl: URL,
    private readonly hosted: HostedMemory,
    private readonly opened: readonly OpenedPort[],
    private readonly laidOut: LaidOutRegion,
    private readonly log: (line: string) => void,
  ) {
    const { geometry, frameMax, guestState } = laidOut;
    new Mbufs(hosted.memory, geometry); // tells the shim where mbufs lie, before lcores ask
    this.counters = newCounters(opened.length);
    this.#mempool = Mempool.create(geometry.count, 0);
    const cores = options.cores.slice(0, opened.length);
    const several = cores.length > 1;
    const owners = new SharedArrayBuffer(geometry.count);
    this.#ledger = new Ledger(owners, geometry, frameMax, several);
    const gate = Gate.create(cores.length);
    this.#supervisor = new GuestSupervisor(0, guestState, gate, this.#ledger, this.#mempool, log);
    this.#lcores = cores.map((core, lcore) =>
      startLcore<HostLcoreInit, void>(lcoreUrl, core, this.#command, {
        lcore,
        region: hosted.memory.handle,
        geometry,
        mempool: this.#mempool.handle,
        ledger: owners,
        several,
        frameMax,
        gate: gate.handle,
        guest: 0,
        lanes: this.#lanesOf(lcore, cores.length),
        idle: options.idle,
        burst: options.burst,
      })
    );
    this.#table = new LiveTable(this.#countedPorts());
    const names = opened.map(({ setup }) => setup.name).join(", ");
    log(`forwarding on core ${cores.join(", ")}, ports: ${names}`);
  }

  async run(signal: AbortSignal): Promise<string> {
    const ended = Promise.all(this.#lcores.map((lcore) => lcore.done)).then(() => true);
    let shown = performance.now();
    try {
      while (!signal.aborted && !await Promise.race([ended, pause(STEP_MS)])) {
        this.#step();
        if (this.options.statsPeriod === 0) continue;
        if (performance.now() - shown < this.options.statsPeriod * 1000) continue;
        shown = performance.now();
        console.log(this.#table.text());
      }
      this.hosted.withdraw(); // or a guest that is cut off finds this host again
      await this.#drain(ended);
    } finally {
      this.#command.value = COMMAND.STOP;
      this.laidOut.region.close();
      await Promise.allSettled(this.#lcores.map((lcore) => lcore.done));
    }
    await ended;
    return this.#summary();
  }

  /** Ports are dealt to lcores in turn. */
  #lanesOf(lcore: number, lcores: number): HostLcoreInit["lanes"] {
    return this.opened
      .map(({ setup }, port) => ({
        setup,
        place: this.laidOut.places[port],
        counters: this.counters[port],
      }))
      .filter((_, port) => port % lcores === lcore);
  }

  #countedPorts(): { name: string; counters: Counters }[] {
    return this.opened.map(({ setup }, port) => ({
      name: setup.name,
      counters: this.counters[port],
    }));
  }

  #wasDown: boolean[] = [];

  #step(): void {
    this.hosted.serve();
    this.laidOut.region.beat();
    this.#supervisor.step(performance.now());
    this.#countedPorts().forEach(({ name, counters }, port) => {
      const isDown = counters[COUNTER.DOWN] === 1;
      if (isDown !== (this.#wasDown[port] ?? false)) {
        this.log(`port ${name} is ${isDown ? "down: its frames are dropped" : "up again"}`);
      }
      this.#wasDown[port] = isDown;
    });
  }

  /** No more frames from ports; wait for those that the guest has, then for the guest's mbufs. */
  async #drain(ended: Promise<unknown>): Promise<void> {
    this.#command.value = COMMAND.DRAIN;
    const end = performance.now() + DRAIN_MS;
    while (this.#supervisor.isOpen && this.#framesOut() > 0 && performance.now() < end) {
      await Promise.race([ended, pause(STEP_MS)]);
      this.#step();
    }
    this.#supervisor.close("is cut off: the host stops");
    while (!this.#supervisor.isClosed) {
      await Promise.race([ended, pause(STEP_MS)]);
      this.#supervisor.step(performance.now());
    }
  }

  #framesOut(): number {
    return this.#ledger.framesHeldBy(0);
  }

  #summary(): string {
    this.counters[0][COUNTER.GUEST_HELD] += this.#supervisor.held;
    const { available, handle } = this.#mempool;
    return summaryText(this.#countedPorts(), { available, total: handle.total });
  }
}

function pause(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds));
}
