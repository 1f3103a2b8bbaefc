import { equal, ok } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { AreaPlaces, type AreaPort, CaptureArea } from "../../app/capture/capture_area.ts";
import type { Channel, ChannelPlace } from "../../app/channel/channel.ts";
import type { GuestState } from "../../app/channel/guest_state.ts";
import { Outstanding } from "../../app/channel/outstanding.ts";
import type { GateFollower } from "../../app/host/gate.ts";
import type { GuestSupervisor } from "../../app/host/guest_supervisor.ts";
import { Host } from "../../app/host/host.ts";
import { HostLcore, type HostLcoreHandle, type MakePort } from "../../app/host/host_lcore.ts";
import type { HostedGuest, HostedRegion } from "../../app/host/hosted_region.ts";
import type { Lane } from "../../app/host/lane.ts";
import { Region } from "../../app/memory/region.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { COUNTER, type Counters, droppedBy } from "../../app/port/counters.ts";
import { makePort } from "../../app/port/open_port.ts";
import type { HostPort } from "../../app/port/port.ts";
import { InlineThread } from "../lcore/inline_thread.ts";
import { FakePort } from "./fake_port.ts";
import { TestGuest, TestPort } from "./test_guest.ts";
import type { TestHostOptions } from "./test_host_options.ts";
import { openTestPort, specOf } from "./test_ports.ts";

/**
 * A whole {@linkcode Host} in one thread, over memory of this process and ports that tests drive:
 *
 * ```ts ignore
 * using host = new TestHost({ places: { a: { 0: "p link:x", 1: "link:x q" } } });
 * host.attach("a0", "a1");
 * host.ports.p.waiting = 10;
 * host.turns(10, () => host.guests.a0.forward(0, 1));
 * host.end();
 * ```
 *
 * Where there is one guest, a test may also step its supervisor and lanes one by one.
 */
export class TestHost implements Disposable {
  readonly host: Host;
  readonly memories: MappedMemory[] = [];
  readonly threads: InlineThread<HostLcoreHandle, HostLcore>[] = [];
  /** What the host has logged since it began. */
  readonly log: string[] = [];
  /** Those of these lines that must not be lost among others. */
  readonly rareLog: string[] = [];
  /** Who has caused each line. */
  readonly causes: Map<string, string | undefined> = new Map();
  /** By region and number: `a0`. */
  readonly guests: Record<string, TestGuest> = {};
  /** By name; further queues as `p/1`. */
  readonly ports: Record<string, FakePort> = {};
  #allPorts: HostPort[] = [];
  #now = 0;
  #places?: AreaPlaces;
  #ownPlaces?: AreaPlaces;

  constructor(options: TestHostOptions = {}) {
    const { ports = 1, mbufs = 256, ringSize = 64, lcores = 1, bytes = 1 << 20 } = options;
    const names = Array.from({ length: ports }, (_, port) => `p${port}`).join(" ");
    const { places = { r0: { 0: names } } } = options;
    const regions = Object.entries(places).map(([name, guests]) => ({
      name,
      mbufs,
      ringSize,
      guests: Object.entries(guests).map(([number, ports]) => ({
        number: Number(number),
        ports: ports.split(" ").map(specOf),
      })),
    }));
    const rest = { mtu: 1500, idle: "poll", burst: 32, statsPeriod: 0, ...options } as const;
    const cores = Array.from({ length: lcores }, (_, core) => core);
    if (options.before) this.#places = options.before.#places;
    else if (options.captured) this.#places = this.#ownPlaces = newPlaces(lcores);
    this.memories = regions.map(() => MappedMemory.ofProcess(bytes));
    const hosted = regions.map(({ name: path }, i) => ({
      memory: this.memories[i],
      path,
      peer: options.peer,
      reconnector: options.reconnector && (() => options.reconnector!),
      capture: options.captured
        ? (ports: readonly AreaPort[]) => ({
          ...{ memory: this.area.memory, points: this.#places!.take(ports) },
        })
        : undefined,
      close() {},
    }));
    this.host = new Host({ ...rest, regions, cores }, hosted, {
      openPort: openTestPort(),
      spawn: (core) => this.#spawn(core, options.makePort),
      clock: () => this.#now,
      log: (line, { cause, isRare } = {}) => {
        this.log.push(line);
        this.causes.set(line, cause);
        if (isRare) this.rareLog.push(line);
      },
    }, options.before?.host);
    this.host.start();
    this.log.length = 0;
    this.host.regions.forEach(({ name, guests }, i) => {
      for (const { number, places } of guests) {
        const guest = new TestGuest(this.memories[i], name, number, places);
        this.guests[`${name}${number}`] = guest;
      }
    });
  }

  /** One turn of each lcore; then 10 ms later the host looks, and all guests beat. */
  turn(): void {
    for (const thread of this.threads) thread.turn();
    this.#now += 10;
    this.host.step();
    for (const { state } of Object.values(this.guests)) state.beat();
  }

  /** So many turns, with something to do before each. */
  turns(count: number, act: () => void = () => {}): void {
    for (let turn = 0; turn < count; turn++) {
      act();
      this.turn();
    }
  }

  /** Let guests in. */
  attach(...names: string[]): void {
    for (const name of names) this.guests[name].claim();
    this.turns(4);
    for (const name of names) equal(this.guests[name].isRunning, true, name);
  }

  /** Stop the host as a signal does, and check the accounts. */
  end(): void {
    this.host.stop();
    for (let turn = 0; !this.host.isOver; turn++) {
      ok(turn < 1000, "the host does not stop");
      this.turn();
    }
    this.checkAccounts();
  }

  get counters(): Counters[] {
    return this.host.counters;
  }

  /** A guest's place, by name. */
  hosted(name: string): HostedGuest {
    const [region, number] = [name.slice(0, -1), Number(name.slice(-1))];
    const { guests } = this.host.regions.find((hosted) => hosted.name === region)!;
    return guests.find((guest) => guest.number === number)!;
  }

  /** Check that all received frames are accounted for, and each region's mbufs are free, once. */
  checkAccounts(): void {
    const sum = (counter: number) => this.counters.reduce((n, of) => n + of[counter], 0);
    const dropped = this.counters.reduce((n, of) => n + droppedBy(of), 0);
    equal(sum(COUNTER.RX) + sum(COUNTER.ORIGINATED), sum(COUNTER.TX) + dropped, "frames");
    for (const { running } of this.threads) running?.releaseCaches();
    for (const { name, mempool, handle: { outstanding }, guests } of this.host.regions) {
      const { handle: { total }, long } = mempool;
      const burst = Burst.of(total + 1);
      const n = mempool.allocBurst(burst, total + 1);
      equal(n, total, `mbufs of region ${name}`);
      const indexes = burst.words.subarray(0, 2 * n).filter((_, i) => i % 2 === 0);
      equal(new Set(indexes).size, total, name);
      mempool.free(burst, n);
      mempool.close();
      if (long) equal(long.available, long.handle.total, `long mbufs of region ${name}`);
      for (const { number } of guests) {
        equal(new Outstanding(outstanding).of(number, 0).mbufs, 0, name);
      }
    }
  }

  // What there is only one of.

  /** What the guest finds in its region. */
  get found(): Region {
    return Region.attach(this.memory, this.region.name);
  }

  /** Where the frames of region 0 can be captured. */
  get area(): CaptureArea {
    return this.#places!.area;
  }

  get region(): HostedRegion {
    return this.host.regions[0];
  }

  get memory(): MappedMemory {
    return this.memories[0];
  }

  get mbufs(): Mbufs {
    return new Mbufs(this.memory, this.region.handle.geometry);
  }

  /** Mbufs that are free, those in the lcore's cache among them. */
  get free(): number {
    this.threads[0].running?.releaseCaches();
    return this.region.mempool.available;
  }

  get supervisor(): GuestSupervisor {
    return this.region.guests[0].supervisor;
  }

  get follower(): GateFollower {
    return this.threads[0].running!.gates[0];
  }

  /** The guest's view of its control memzone. */
  get guest(): GuestState {
    return Object.values(this.guests)[0].state;
  }

  /** Where the guest's channels lie. */
  get places(): readonly ChannelPlace[] {
    return this.region.guests[0].places;
  }

  /** Mbufs that the guest holds, as the host counts them. */
  get outstanding(): number {
    return new Outstanding(this.region.handle.outstanding).of(0, 0).mbufs;
  }

  /** The lane of port `number`, and the port. */
  lane<P extends HostPort = FakePort>(number = 0): [Lane, P] {
    return [this.threads[0].running!.lanes[number], this.#allPorts[number] as P];
  }

  /** Attach the guest, and give its end of each channel. */
  attachOnly(wantsMbufs = false, now = 0, peer?: number): Channel[] {
    const [guest] = Object.values(this.guests);
    guest.claim(wantsMbufs, peer);
    this.supervisor.step(now);
    this.follower.follow();
    this.supervisor.step(now);
    equal(guest.isRunning, true);
    return guest.channels;
  }

  /** As {@linkcode attachOnly}, for both ends of virtual port 0. */
  attachPort(wantsMbufs = false, peer?: number): TestPort {
    this.attachOnly(wantsMbufs, 0, peer);
    return new TestPort(this.memory, this.places[0]);
  }

  /** Cut the guest off and sweep up after it. What it held is counted as at the end of a host. */
  cutOff(): void {
    this.supervisor.close("is cut off");
    this.follower.follow();
    this.supervisor.step(0);
    equal(this.supervisor.isClosed, true);
    this.counters[0][COUNTER.GUEST_LOST] += this.supervisor.lost;
    this.supervisor.lost = 0;
  }

  [Symbol.dispose](): void {
    this.host.close();
    for (const memory of this.memories) memory.close();
    this.#ownPlaces?.area.memory.close();
  }

  #spawn(core: number, make?: MakePort): InlineThread<HostLcoreHandle, HostLcore> {
    const makeTestPort: MakePort = (setup, resources) => {
      const port = this.#makePort(setup, resources, make);
      this.#allPorts.push(port);
      return port;
    };
    const thread = new InlineThread(
      core,
      (handle: HostLcoreHandle, command) =>
        new HostLcore(
          handle,
          command,
          makeTestPort,
          (line) => this.log.push(line),
          () => this.#now * 1e6,
        ),
    );
    this.threads.push(thread);
    return thread;
  }

  #makePort(...[setup, resources, make]: [...Parameters<MakePort>, MakePort?]): HostPort {
    if (setup.kind === "link") return makePort(setup, resources);
    if (make) return make(setup, resources);
    if (setup.name.startsWith("null")) return makePort(setup, resources);
    const queue = setup.kind === "null" && setup.frameBytes > 64 ? `/${setup.frameBytes - 64}` : "";
    return this.ports[`${setup.name}${queue}`] = new FakePort(resources);
  }
}

function newPlaces(lcores: number): AreaPlaces {
  const memory = MappedMemory.ofProcess(CaptureArea.bytesFor(lcores));
  return new AreaPlaces(CaptureArea.create(memory, lcores));
}
