import { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { HostOptions } from "../../app/host/host_options.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { Random } from "../kit/random.ts";
import { accountFaults, mbufFaults } from "./checks.ts";
import { Frames } from "./frames.ts";
import { Mishaps } from "./mishaps.ts";
import { Scheduler } from "./scheduler.ts";
import { SimGuest } from "./sim_guest.ts";
import { SimHost } from "./sim_host.ts";
import { SimServer } from "./sim_server.ts";

/** Steps between two checks of all mbufs, and between two times that all is left in peace. */
const CHECK_STEPS = 40, PEACE_STEPS = 10_000;

/** One in so many steps, something fails. */
const FAULT_ODDS = 150;

/** Milliseconds in which all guests must be let in again once nothing fails any more. */
const PEACE_MS = 15_000;

/** Frames that each group must send in peace, and the steps that this may take. */
const PEACE_FRAMES = 20, PEACE_FRAMES_STEPS = 20_000;

/** Ports by region and guest: guests a1 and b0 are joined by a link, and so in one group. */
const PLACES = [
  { region: "a", number: 0, ports: ["a0-p", "a0-q"], group: "A", makesFrames: false },
  { region: "a", number: 1, ports: ["ab-p", "link:ab"], group: "AB", makesFrames: false },
  { region: "a", number: 2, ports: ["a2-p"], group: "M", makesFrames: true },
  { region: "b", number: 0, ports: ["link:ab", "ab-q"], group: "AB", makesFrames: false },
] as const;
const REGIONS = ["a", "b"];

/** How a simulation went. */
export interface Outcome {
  /** Broken promises, in words; the simulation ends with the first ones. */
  readonly faults: readonly string[];
  readonly steps: number;
  /** Simulated milliseconds. */
  readonly milliseconds: number;
  /** Frames that ports have sent. */
  readonly frames: number;
  /** Hosts and guests that have begun. */
  readonly hosts: number;
  readonly guests: number;
  /** The same for the same seed and steps. */
  readonly fingerprint: number;
}

/**
 * Hosts, guests and servers in one thread, under a seed that decides what happens when:
 * TigerBeetle's VOPR for a forwarder. All that a real host or guest does is the product's code;
 * ports, servers, clock and processes are simulated.
 */
export class Simulation {
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #frames = new Frames();
  readonly #mishaps: Mishaps;
  readonly #host: SimHost;
  readonly #guests: SimGuest[];
  readonly #faults: string[] = [];
  readonly #memories: MappedMemory[];
  #checkAt = 0;

  /** `trace` is told of each step. */
  constructor(seed: number, trace?: (line: string) => void) {
    const random = this.#random = new Random(seed);
    const scheduler = this.#scheduler = new Scheduler(random);
    scheduler.trace = trace;
    this.#memories = REGIONS.map(() => MappedMemory.ofProcess(1 << 22));
    const servers = REGIONS.map(() => random.below(4) > 0 ? new SimServer() : undefined);
    const lcores = 1 + random.below(2);
    const options: HostOptions = {
      regions: REGIONS.map((name) => ({
        name,
        mbufs: 96 + random.below(160),
        ringSize: 2 ** (3 + random.below(4)),
        guests: PLACES.filter(({ region }) => region === name).map(({ number, ports }) => ({
          number,
          ports: ports.map((port) =>
            port.startsWith("link:") ? parsePortSpec(port) : { kind: "null", name: port } as const
          ),
        })),
      })),
      mtu: 1500,
      cores: [0, 1].slice(0, lcores),
      idle: "poll",
      burst: 8,
      statsPeriod: 0,
      quarantineAfter: 0,
      wipe: random.below(4) === 0 ? undefined : false,
    };
    const groupOf = (port: string) =>
      PLACES.find(({ ports }) => (ports as readonly string[]).includes(port))!.group;
    this.#host = new SimHost({
      scheduler,
      frames: this.#frames,
      options,
      memories: this.#memories,
      servers,
      groupOf,
    }, (host) => this.#faults.push(...accountFaults(host)));
    // Two want the first place: whoever comes too late has to wait until the other one goes.
    this.#guests = [PLACES[0], ...PLACES].map(({ region, number, group, makesFrames }) => {
      const at = REGIONS.indexOf(region);
      const [memory, server] = [this.#memories[at], servers[at]];
      const frames = this.#frames;
      return new SimGuest({
        scheduler,
        frames,
        region,
        memory,
        server,
        number,
        group,
        makesFrames,
      });
    });
    scheduler.threads.push(
      this.#host,
      ...Array.from({ length: lcores }, (_, lcore) => this.#host.lcore(lcore)),
      ...this.#guests.flatMap((guest) => [guest, guest.lcore()]),
    );
    this.#mishaps = new Mishaps(scheduler, this.#host, this.#guests, servers);
    scheduler.betweenSteps = () => this.#betweenSteps();
    scheduler.afterStep = () => this.#afterStep();
  }

  /** Run for so many steps, or until a promise is broken. */
  run(steps: number): Outcome {
    const scheduler = this.#scheduler;
    while (scheduler.steps < steps && this.#faults.length === 0) {
      scheduler.run(Math.min(PEACE_STEPS, steps - scheduler.steps));
      if (this.#faults.length === 0) this.#peace();
    }
    return {
      faults: this.#faults,
      steps: scheduler.steps,
      milliseconds: scheduler.now,
      frames: this.#framesSent,
      hosts: this.#host.starts,
      guests: this.#guests.reduce((sum, { starts }) => sum + starts, 0),
      fingerprint: scheduler.fingerprint >>> 0,
    };
  }

  get #framesSent(): number {
    return [...this.#frames.sent.values()].reduce((sum, n) => sum + n, 0);
  }

  #betweenSteps(): void {
    this.#host.bury();
    for (const guest of this.#guests) guest.bury();
    this.#faults.push(...this.#frames.faults.splice(0));
    if (this.#scheduler.steps < this.#checkAt) return;
    this.#checkAt = this.#scheduler.steps + CHECK_STEPS;
    const { host, threads } = this.#host;
    if (host) this.#faults.push(...mbufFaults(host, threads.map(({ running }) => running)));
    for (const { region, number } of PLACES) {
      const guests = this.#guestsAt(region, number).filter(({ hasLease }) => hasLease).length;
      if (guests > 1) {
        this.#faults.push(`${guests} guests have a lease of place ${region}${number}`);
      }
    }
  }

  #afterStep(): void {
    if (this.#scheduler.isCalm || this.#random.below(FAULT_ODDS) > 0) return;
    this.#mishaps.happen();
  }

  /** Nothing fails any more: all must work again before long. */
  #peace(): void {
    const scheduler = this.#scheduler;
    scheduler.isCalm = true;
    const end = scheduler.now + PEACE_MS;
    do {
      this.#mishaps.repair();
      scheduler.run(20);
    } while (!this.#areAllAttached() && scheduler.now < end && this.#faults.length === 0);
    if (!this.#areAllAttached()) this.#faults.push(`in peace, ${this.#whoIsMissing()}`);
    this.#expectFrames();
    scheduler.isCalm = false;
  }

  #expectFrames(): void {
    const before = new Map(this.#frames.sent);
    const groups = [...new Set(PLACES.map(({ group }) => group))];
    const sent = (group: string) => (this.#frames.sent.get(group) ?? 0) - (before.get(group) ?? 0);
    const isEnough = () => groups.every((group) => sent(group) >= PEACE_FRAMES);
    const end = this.#scheduler.steps + PEACE_FRAMES_STEPS;
    while (!isEnough() && this.#scheduler.steps < end && this.#faults.length === 0) {
      this.#scheduler.run(20);
    }
    for (const group of groups) {
      if (sent(group) >= PEACE_FRAMES || this.#faults.length > 0) continue;
      this.#faults.push(`in peace, ${sent(group)} frames of ${group} were sent: ${this.#state()}`);
    }
  }

  /** Who holds what, for people. */
  #state(): string {
    const regions = this.#host.host?.regions ?? [];
    return regions.map(({ name, ledger, mbufs: { available, total }, guests }) => {
      const held = guests.map(({ number }) => `${ledger.mbufsHeldBy(number)} by guest ${number}`);
      return `region ${name}: ${available} of ${total} mbufs free, held ${held.join(", ")}`;
    }).join("; ");
  }

  #supervisors() {
    return this.#host.host?.regions.flatMap(({ guests }) => guests) ?? [];
  }

  #areAllAttached(): boolean {
    return this.#host.host !== undefined &&
      this.#supervisors().every(({ supervisor }) => supervisor.isOpen) &&
      this.#whoForwards().every((guests) => guests === 1);
  }

  #guestsAt(region: string, number: number): SimGuest[] {
    return this.#guests.filter(({ place }) => place.region === region && place.number === number);
  }

  /** For each place the number of guests that forward there, as they think. */
  #whoForwards(): number[] {
    return PLACES.map(({ region, number }) =>
      this.#guestsAt(region, number).filter(({ guest }) => guest?.forwarding !== undefined).length
    );
  }

  #whoIsMissing(): string {
    const { host } = this.#host;
    if (host === undefined) return "there is no host";
    const closed = this.#supervisors().filter(({ supervisor }) => !supervisor.isOpen);
    const places = this.#whoForwards().map((guests, i) =>
      `${guests} at ${PLACES[i].region}${PLACES[i].number}`
    );
    return `guests that forward: ${places.join(", ")}; places where nobody is let in: ` +
      closed.map(({ number, state }) => `${number} (${state.stateName})`).join(", ");
  }

  /** Give the regions back. */
  close(): void {
    for (const memory of this.#memories) memory.close();
  }
}
