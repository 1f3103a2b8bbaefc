import { equal, ok } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Channel } from "../../app/channel/channel.ts";
import { GUEST_STATE, GuestState } from "../../app/channel/guest_state.ts";
import { dealPorts } from "../../app/host/deal_ports.ts";
import { runHostLcore } from "../../app/host/host_lcore.ts";
import { layOut } from "../../app/host/host_plan.ts";
import { HostedRegion } from "../../app/host/hosted_region.ts";
import { QUARANTINE_AFTER } from "../../app/host/violation_counters.ts";
import { lcoreInit } from "../../app/host/lcore_init.ts";
import { COMMAND, type CommandWord } from "../../app/lcore/command.ts";
import { Region } from "../../app/memory/region.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, type Counters, droppedBy, newCounters } from "../../app/port/counters.ts";
import { makePort, type OpenedPort, openPort } from "../../app/port/open_port.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { FakePort } from "./fake_port.ts";
import { openedPort } from "./host_lab.ts";
import { ScriptedCommand } from "./scripted_command.ts";
import { Burst } from "../../app/ring/burst.ts";

/**
 * For each region and guest its ports: links by their names, names that begin with `null` make frames of 64
 * bytes, others are a {@linkcode FakePort} each.
 */
export type Places = Record<string, Record<number, string>>;

/** Yields once a turn of the lcore's loop. */
export type Turns = Generator<void, void, void>;

/** A guest that a test drives. */
export class LabGuest {
  #channels?: Channel[];
  readonly state: GuestState;

  constructor(
    readonly memory: MappedMemory,
    region: Region,
    readonly number: number,
    private readonly places: ConstructorParameters<typeof Channel>[1][],
  ) {
    this.state = GuestState.attach(region, number);
  }

  /** Ask to be let in: it is, some turns later. */
  attach(wantsMbufs = false): void {
    ok(this.state.claim({ pid: 100 + this.number, wantsMbufs }) !== undefined);
    this.#channels = undefined;
  }

  /** Its end of each channel. Not to be asked for before it is let in: the host resets the rings. */
  get channels(): Channel[] {
    return this.#channels ??= this.places.map((place) => new Channel(this.memory, place));
  }

  /** Whether the host has let it in. */
  get isRunning(): boolean {
    return this.state.state === GUEST_STATE.RUNNING;
  }

  /** Send on by port `to` what was received by port `from`: up to `max` frames; returns how many. */
  forward(from: number, to: number, max = 32): number {
    const burst = Burst.of(max);
    const n = this.channels[from].rx.dequeueBurst(burst, max);
    return this.channels[to].tx.enqueueBurst(burst, n);
  }
}

/**
 * A host of several regions and guests, put together as `runHost()` does, with one lcore in this thread:
 *
 * ```ts ignore
 * using lab = new ManyLab({ a: { 0: "p link:x", 1: "link:x q" } });
 * lab.run(function* (lab) {
 *   yield* lab.attach("a0", "a1");
 *   lab.ports.p.waiting = 10;
 *   yield* lab.turns(10, () => lab.guests.a0.forward(0, 1));
 * });
 * ```
 */
export class ManyLab implements Disposable {
  readonly regions: HostedRegion[];
  readonly memories: MappedMemory[];
  readonly counters: Counters[];
  readonly log: string[] = [];
  /** By region and number: `a0`. */
  readonly guests: Record<string, LabGuest> = {};
  /** By name, once the lab runs. */
  readonly ports: Record<string, FakePort> = {};
  #now = 0;
  #word?: CommandWord;

  constructor(
    places: Places,
    { mbufs = 256, ringSize = 64, lcores = 1, wipe = false, quarantineAfter = QUARANTINE_AFTER } =
      {},
  ) {
    const regions = Object.entries(places).map(([name, guests]) => ({
      name,
      guests: Object.entries(guests).map(([number, ports]) => ({
        number: Number(number),
        ports: ports.split(" ").map(open),
      })),
    }));
    const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
    const dealt = dealPorts(ports.map(({ setup }) => setup), lcores);
    this.counters = newCounters(ports.length);
    this.memories = regions.map(() => MappedMemory.ofProcess(1 << 20));
    let next = 0;
    this.regions = regions.map(({ name, guests }, at) => {
      const memory = this.memories[at];
      const laidOut = layOut(memory, name, { mbufs, mtu: 1500, ringSize }, guests);
      const region = new HostedRegion({
        name,
        hosted: { memory, path: name, withdraw() {}, close() {} },
        laidOut,
        ports: guests.map(({ ports }, guest) =>
          ports.map((opened, port) => ({
            opened,
            place: laidOut.guests[guest].places[port],
            counters: this.counters[next],
            lcore: dealt[next++],
          }))
        ),
        guestName: (number) => `${name}${number}`,
        log: (line) => this.log.push(line),
        wipe,
        quarantineAfter,
      });
      region.publish();
      laidOut.guests.forEach(({ number, places }) => {
        const found = Region.attach(memory, name);
        this.guests[`${name}${number}`] = new LabGuest(memory, found, number, [...places]);
      });
      return region;
    });
  }

  /**
   * Run the lcore through a scenario, which yields once a turn, until that ends; then cut off all guests as a
   * host does that stops, and check the accounts.
   */
  run(scenario: (lab: this) => Turns): void {
    using word = freshCommand();
    this.#word = word;
    const turns = this.#whole(scenario);
    const scripted = new ScriptedCommand(word, () => {
      for (const region of this.regions) region.step(this.#now += 10);
      for (const { state } of Object.values(this.guests)) state.beat();
      if (turns.next().done) word.value = COMMAND.STOP;
    });
    runHostLcore(
      lcoreInit(0, this.regions, { idle: "poll", burst: 32 }),
      scripted,
      (setup, resources) => {
        if (setup.kind === "link") return makePort(setup, resources);
        if (setup.name.startsWith("null")) return makePort(setup, resources);
        return this.ports[setup.name] = new FakePort(resources);
      },
    );
    this.#checkAccounts();
  }

  /** Let so many turns go by, with something to do in each. */
  *turns(count: number, act: () => void = () => {}): Turns {
    for (let turn = 0; turn < count; turn++) {
      act();
      yield;
    }
  }

  /** Let guests in. */
  *attach(...names: string[]): Turns {
    for (const name of names) this.guests[name].attach();
    yield* this.turns(4);
    for (const name of names) equal(this.guests[name].isRunning, true, name);
  }

  /** From now on the lcore takes no more frames from ports. */
  drain(): void {
    this.#word!.value = COMMAND.DRAIN;
  }

  /** The supervisor of a guest, by name. */
  supervisor(name: string) {
    const [region, number] = [name[0], Number(name.slice(1))];
    const { guests } = this.regions.find((hosted) => hosted.name === region)!;
    return guests.find((guest) => guest.number === number)!.supervisor;
  }

  *#whole(scenario: (lab: this) => Turns): Turns {
    yield* scenario(this);
    const supervisors = this.regions.flatMap(({ guests }) => guests.map((g) => g.supervisor));
    for (const supervisor of supervisors) supervisor.close("is cut off");
    yield* this.turns(4);
    for (const { isClosed } of supervisors) equal(isClosed, true);
    this.counters[0][COUNTER.GUEST_LOST] += supervisors.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** Check that all frames that came are accounted for, and that each region's mbufs are free, once. */
  #checkAccounts(): void {
    const sum = (counter: number) => this.counters.reduce((n, of) => n + of[counter], 0);
    const dropped = this.counters.reduce((n, of) => n + droppedBy(of), 0);
    equal(sum(COUNTER.RX) + sum(COUNTER.ORIGINATED), sum(COUNTER.TX) + dropped, "frames");
    for (const { name, mbufs: { total }, forLcores } of this.regions) {
      const mempool = Mempool.attach(forLcores.mempool, 0);
      const burst = Burst.of(total + 1);
      const n = mempool.allocBurst(burst, total + 1);
      equal(n, total, `mbufs of region ${name}`);
      equal(new Set(burst.words.filter((_, i) => i % 2 === 0 && i < 2 * n)).size, total);
      mempool.free(burst, n);
      mempool.close();
    }
  }

  [Symbol.dispose](): void {
    for (const region of this.regions) region.dispose();
    for (const memory of this.memories) memory.close();
  }
}

function open(name: string): OpenedPort {
  return name.startsWith("link:") ? openPort(parsePortSpec(name), 1500) : openedPort(name);
}
