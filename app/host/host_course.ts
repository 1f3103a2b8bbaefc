import { CulvertError } from "../../ffi/error.ts";
import { KeptThreads } from "../lcore/kept_threads.ts";
import { LcoreWorker } from "../lcore/lcore.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { hasLostKeeper } from "../linux/keeper.ts";
import type { Log } from "../linux/log.ts";
import { stdout } from "../linux/output.ts";
import { ServiceManager } from "../linux/service_manager.ts";
import { Watchdog } from "../linux/watchdog.ts";
import type { Counters } from "../port/counters.ts";
import { KeptPorts } from "../port/kept_ports.ts";
import { isOnInterface, type PortSpec, portText } from "../port/port_spec.ts";
import { closeBursts } from "../ring/burst.ts";
import type { HostedMemory } from "../region/hosted_memory.ts";
import { Host } from "./host.ts";
import type { Change, HostControl } from "./host_control.ts";
import type { HostLcoreHandle } from "./host_lcore.ts";
import type { HostOptions } from "./host_options.ts";
import { portsText } from "./hosted_ports.ts";
import { LiveTable } from "./summary.ts";

const LOST_KEEPER =
  "the keeper has ended: forwarding goes on, but an interface that is made anew is not " +
  "opened, a server that is killed has no successor, and in the end interfaces are not set down";

/** Milliseconds for which a change waits for frames under way: the machine may be busy. */
const CHANGE_DRAIN_MS = 2000;

/** Milliseconds for which a change waits for guests to attach again before it is called done. */
const SETTLE_MS = 3000;

/** The hosts of one program: the first, and one after each change of its options. */
export class HostCourse {
  readonly #ports = new KeptPorts();
  readonly #threads: KeptThreads<HostLcoreHandle>;
  readonly #manager = new ServiceManager();
  readonly #watchdog = new Watchdog(this.#manager);
  readonly #timer = new WakeableTimer();
  #hasToldOfKeeper = false;
  /** Guests that were there before the change that is under way. */
  #attached = 0;
  /** How many guests are waited for before ports are read again, how long, and for which change. */
  #settling?: { readonly guests: number; readonly until: number; readonly change?: Change };

  /**
   * Nothing is opened yet.
   *
   * @param memories For each region of the options its memory.
   * @param signal Says when to stop.
   */
  constructor(
    private readonly options: HostOptions,
    private readonly memories: readonly HostedMemory[],
    lcoreUrl: URL,
    private readonly signal: AbortSignal,
    private readonly log: Log,
    private readonly control: HostControl,
  ) {
    const { idle } = options;
    this.#threads = new KeptThreads((core) => new LcoreWorker(lcoreUrl, core, log).prepare(idle));
  }

  /**
   * Forward until the signal says stop.
   *
   * @param observe Given the counters of all ports of the first host.
   * @param settled Called once all is set up, before the first frame.
   * @returns the summary of the last host; its counters go on from those before.
   */
  async run(
    observe: (counters: readonly Counters[]) => void,
    settled: () => void,
  ): Promise<string> {
    let { options } = this;
    let host: Host | undefined;
    try {
      options.cores.forEach(this.#threads.lend); // a port that is added may need any of them
      host = this.#host(options);
      observe(host.counters);
      await host.ready(); // modules are loaded with our first permissions,
      settled(); // frames are moved without them
      this.#threads.settle();
      for (;;) {
        this.#begin(host, options);
        const change = await this.#follow(host, options.statsPeriod);
        if (!change) return host.summary;
        host = this.#takeOver(host, change);
        ({ options } = host);
      }
    } finally {
      this.control.end();
      host?.abort();
      await host?.lcoresEnd().catch(() => {}); // if one has failed, that was thrown above
      host?.close();
      this.#threads.close();
      this.#keepOnly();
    }
  }

  #host(options: HostOptions, before?: Host): Host {
    return new Host(options, this.memories, {
      openPort: this.#ports.lend,
      spawn: this.#threads.lend,
      clock: () => performance.now(),
      log: this.log,
    }, before);
  }

  #begin(host: Host, options: HostOptions): void {
    host.start(this.#settling !== undefined);
    this.control.begin(host, options, () => this.#timer.wake());
    this.#manager.tell(["READY=1", `STATUS=forwarding: ${portsText(host.ports)}`]);
  }

  /** Stop a host for a change, if the ports of that can be opened. */
  #stopFor(change: Change, host: Host): void {
    const { mtu } = change.options;
    try {
      checkLasting(host.options, change.options);
      checkSame(host.options, change.options);
      for (const spec of portsOf(change.options)) this.#prepare(spec, mtu);
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#keepOnly(host.options);
      this.control.take();
      return change.failed(error);
    }
    this.#attached = attachedTo(host, change.options);
    host.stop("the host changes", CHANGE_DRAIN_MS);
  }

  /** Open a port that is not open yet. */
  #prepare(spec: PortSpec, mtu: number): void {
    try {
      this.#ports.prepare([spec], mtu);
    } catch (error) {
      const isRefused = error instanceof CulvertError && ["EPERM", "EACCES"].includes(error.code!);
      if (!isRefused || !isOnInterface(spec)) throw error;
      const refuse = (found: string, wanted: string) =>
        new CulvertError(
          `Cannot add port ${portText(spec)} as the host has given up what that needs${found}: ` +
            `start it anew with this port${wanted}`,
          { cause: error },
        );
      if (hasLostKeeper()) throw refuse(", and the keeper, which had it, has ended", "");
      const pattern = `--may-add ${spec.name} (may-add = "${spec.name}" in its file)`;
      throw refuse("", `, or with ${pattern}`);
    }
  }

  /**
   * Make the host that follows `last`: with the change, or with the options before if that fails.
   */
  #takeOver(last: Host, change: Change): Host {
    last.close();
    closeBursts(); // of the mempools of `last`: nothing else in this thread has made bursts
    const settling = { guests: this.#attached, until: performance.now() + SETTLE_MS };
    this.#settling = settling;
    try {
      const host = this.#host(change.options, last);
      this.#keepOnly(change.options);
      this.#settling = { ...settling, change };
      return host;
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      change.failed(error);
      this.#keepOnly(last.options);
      return this.#host(last.options, last);
    }
  }

  /** Tell the client that a change is done: guests have attached again, or take too long. */
  #settle(host: Host): void {
    const settling = this.#settling;
    if (!settling) return;
    if (attachedTo(host, host.options) < settling.guests && performance.now() < settling.until) {
      return;
    }
    this.#settling = undefined;
    host.release();
    settling.change?.done();
  }

  /** Say, once, that the keeper has ended. */
  #tellOfKeeper(): void {
    if (this.#hasToldOfKeeper || !hasLostKeeper()) return;
    this.#hasToldOfKeeper = true;
    this.log(LOST_KEEPER, { level: "error" });
  }

  /** Close ports that these options do not name. */
  #keepOnly(options?: HostOptions): void {
    try {
      this.#ports.keepOnly(options ? portsOf(options) : []);
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.log(error.message, { level: "warning" });
    }
  }

  /** Step the host until it is over; returns the change that ended it. */
  async #follow(host: Host, statsPeriod: number): Promise<Change | undefined> {
    const { signal, control } = this;
    const wake = () => this.#timer.wake();
    const stop = () => {
      this.#manager.tell(["STOPPING=1"]);
      host.stop();
      wake();
    };
    const ended = host.lcoresEnd();
    ended.catch(() => {}).finally(wake);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const table = new LiveTable(host.summedPorts);
    let shownAt = performance.now();
    try {
      while (!host.isOver) {
        await this.#timer.wait(host.stepMs);
        if (control.wanted && !host.isStopping) this.#stopFor(control.wanted, host);
        host.step();
        this.#settle(host);
        this.#watchdog.feed(performance.now(), () => host.isMoving);
        this.#tellOfKeeper();
        if (statsPeriod === 0 || performance.now() - shownAt < statsPeriod * 1000) continue;
        shownAt = performance.now();
        stdout.line(table.text());
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
    await ended;
    return signal.aborted ? undefined : control.take();
  }
}

/** How many of the guests that forward now have a place in these options, too. */
function attachedTo(host: Host, { regions }: HostOptions): number {
  return host.regions.reduce((sum, { name, guests }) => {
    const wanted = regions.find((region) => region.name === name)?.guests ?? [];
    const numbers = new Set(wanted.map(({ number }) => number));
    const open = guests.filter(({ number, supervisor }) =>
      supervisor.isOpen && numbers.has(number)
    );
    return sum + open.length;
  }, 0);
}

function portsOf({ regions, mirrors = [] }: HostOptions): PortSpec[] {
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
  return [...ports, ...mirrors.map(({ to }) => to)];
}

/** Check that no port that is open is opened in another way, too: its frames would come twice. */
function checkSame(now: HostOptions, then: HostOptions): void {
  for (const port of portsOf(then).filter(isOnInterface)) {
    const before = portsOf(now).find(({ kind, name }) => kind === port.kind && name === port.name);
    if (!before || portText(before) === portText(port)) continue;
    throw new CulvertError(
      `Cannot change port ${portText(before)} to ${portText(port)} while the host runs: delete ` +
        `it, then add it, or start the host anew`,
    );
  }
}

/**
 * Check that no host has an XDP port, as it cannot be changed: the kernel's rings hold its mbufs,
 * and the capabilities that open another such port have been given up.
 *
 * @throws {CulvertError} if there is such a port.
 */
function checkLasting(...options: readonly HostOptions[]): void {
  const found = options.flatMap(portsOf).find(({ kind }) => kind === "xdp");
  if (!found) return;
  throw new CulvertError(
    `Cannot change a host with port ${
      portText(found)
    } while it runs as the kernel holds mbufs of ` +
      "it: start it anew, guests attach again by themselves",
  );
}
