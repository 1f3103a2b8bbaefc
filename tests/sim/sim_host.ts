import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Host } from "../../app/host/host.ts";
import { HostLcore, type HostLcoreHandle, type MakePort } from "../../app/host/host_lcore.ts";
import type { HostOptions } from "../../app/host/host_options.ts";
import { makePort, openPort } from "../../app/port/open_port.ts";
import { InlineThread } from "../lcore/inline_thread.ts";
import { openedPort } from "../host/test_ports.ts";
import { type Frames, SimPort } from "./frames.ts";
import { Process, SimMemory, type Thread } from "./processes.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimPeer, SimServer } from "./sim_server.ts";

/** One in so many atomic accesses, and calls of a port, is a moment at which others go first. */
const ACCESS_ODDS = 100, PORT_ODDS = 8;

/** What hosts of the simulation have in common. */
export interface HostWorld {
  readonly scheduler: Scheduler;
  readonly frames: Frames;
  readonly options: HostOptions;
  /** Those of the regions, in the order of the options. */
  readonly memories: readonly MappedMemory[];
  /** Those of the regions, in the same order; undefined for one without a server. */
  readonly servers: readonly (SimServer | undefined)[];
  /** Which group a port belongs to, by its name. */
  groupOf(port: string): string;
}

/** The host of the simulation: killed or stopped, another one takes its place. */
export class SimHost implements Thread {
  readonly name = "host";
  process?: Process;
  dueAt = 0;
  isBusy = false;
  /** The host that runs, from its first step on. */
  host?: Host;
  threads: InlineThread<HostLcoreHandle, HostLcore>[] = [];
  ports: SimPort[] = [];
  /** Whether it has been sent a signal to stop, which it takes before its next step. */
  isToStop = false;
  /** Hosts that have begun. */
  starts = 0;
  #peers: SimPeer[] = [];
  #buried?: Host;

  constructor(private readonly world: HostWorld, private readonly ended: (host: Host) => void) {}

  /** One lcore, as a thread of the host's process. */
  lcore(number: number): Thread {
    const get = () => this.process;
    const step = () => this.threads[number]?.turn();
    return {
      name: `host lcore ${number}`,
      get process() {
        return get();
      },
      dueAt: 0,
      isBusy: false,
      step,
    };
  }

  step(): void {
    const { scheduler } = this.world;
    if (this.host === undefined) this.#start();
    const host = this.host!;
    if (this.isToStop) host.stop();
    this.isToStop = false;
    host.step();
    this.dueAt = scheduler.now + host.stepMs;
    if (!host.isOver) return;
    this.ended(host);
    this.#end(host);
  }

  /**
   * The process is killed. What the kernel takes back is taken back once no thread is in a step.
   */
  kill(): void {
    if (this.process === undefined || this.process.isDead) return;
    this.process.isDead = true;
    for (const peer of this.#peers) peer.close();
    this.#buried = this.host;
    this.host = undefined;
  }

  /**
   * Whether a host that was killed has left nothing in the middle of a step; then another may
   * begin.
   */
  bury(): void {
    if (!this.process?.isDead || this.process.busy > 0) return;
    this.#buried?.close();
    this.#buried = undefined;
    this.#forget();
  }

  #end(host: Host): void {
    host.close();
    for (const peer of this.#peers) peer.close();
    this.host = undefined;
    this.#forget();
  }

  #forget(): void {
    const { scheduler: { now, random } } = this.world;
    this.process = undefined;
    this.isToStop = false;
    this.threads = [];
    this.ports = [];
    this.#peers = [];
    this.dueAt = now + random.below(1000);
  }

  #start(): void {
    const { scheduler, options, servers } = this.world;
    const process = this.process = new Process(`host ${++this.starts}`, () => this.kill());
    process.busy++; // the step that this is
    const interrupt = () => scheduler.interrupt(process, ACCESS_ODDS);
    const memories = this.world.memories.map((memory, i) => {
      const joined = (member: SimPeer) => void this.#peers.push(member);
      const first = servers[i]?.join();
      if (first) joined(first);
      const reconnector = first && servers[i]!.reconnector(joined);
      return {
        memory: new SimMemory(memory.handle, interrupt),
        path: options.regions[i].name,
        peer: first?.peer,
        reconnector: reconnector && (() => reconnector),
        close() {},
      };
    });
    let ports = 0;
    const host = new Host(options, memories, {
      openPort: (spec, mtu) =>
        spec.kind === "link" ? openPort(spec, mtu) : openedPort(spec.name, ports++),
      spawn: (core) => this.#spawn(core, process),
      clock: () => scheduler.now,
      log: (line) => scheduler.trace?.(`host: ${line}`),
    });
    host.start();
    this.host = host;
  }

  #spawn(core: number, process: Process): InlineThread<HostLcoreHandle, HostLcore> {
    const { scheduler, frames, groupOf } = this.world;
    const make: MakePort = (setup, resources) => {
      if (setup.kind === "link") return makePort(setup, resources);
      const { name } = setup;
      const interrupt = () => scheduler.interrupt(process, PORT_ODDS);
      const port = new SimPort(
        name,
        groupOf(name),
        resources,
        frames,
        scheduler.random,
        interrupt,
      );
      this.ports.push(port);
      return port;
    };
    const thread = new InlineThread(
      core,
      (handle: HostLcoreHandle, command) =>
        new HostLcore(handle, command, make, () => scheduler.now * 1e6),
    );
    this.threads.push(thread);
    return thread;
  }
}
