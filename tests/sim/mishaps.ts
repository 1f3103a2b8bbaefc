import { CulvertError } from "../../ffi/error.ts";
import { GuestState } from "../../app/channel/guest_state.ts";
import { Region } from "../../app/memory/region.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimGuest } from "./sim_guest.ts";
import type { SimHost } from "./sim_host.ts";
import type { SimServer } from "./sim_server.ts";

/** What can go wrong for the processes of a simulation, as its seed decides. */
export class Mishaps {
  /** Each with its name; what is there twice is twice as likely. */
  readonly #all: readonly (readonly [string, () => void])[] = [
    ["a guest is killed", () => this.#aGuest().kill()],
    ["a guest is killed", () => this.#aGuest().kill()],
    ["a guest is told to stop", () => this.#aGuest().isToStop = true],
    ["a guest is paused", () => this.#pause(this.#aGuest())],
    ["a guest is paused", () => this.#pause(this.#aGuest())],
    ["the host is paused", () => this.#pause(this.host)],
    ["the host is killed", () => this.host.kill()],
    ["the host is told to stop", () => this.host.isToStop = true],
    ["a guest is paused, and the host killed", () => {
      this.#pause(this.#aGuest());
      this.host.kill();
    }],
    ["a server is killed", () => this.#aServer()?.kill()],
    ["a server begins", () => this.#aServer()?.restart(this.scheduler.random.below(64))],
    ["a server begins", () => this.#aServer()?.restart(this.scheduler.random.below(64))],
    ["time passes", () => this.scheduler.now += this.scheduler.random.below(4000)],
    ["a port goes down or up", () => this.#aPort((port) => port.isUp = !port.isUp)],
    ["a port begins or ceases to receive", () => {
      this.#aPort((port) => port.receives = !port.receives);
    }],
    ["a guest is asked to leave", () => askToLeave(this.#aGuest(), true)],
    ["a guest is not asked to leave any more", () => askToLeave(this.#aGuest(), false)],
  ];

  constructor(
    private readonly scheduler: Scheduler,
    private readonly host: SimHost,
    private readonly guests: readonly SimGuest[],
    private readonly servers: readonly (SimServer | undefined)[],
  ) {}

  /** One of them. */
  happen(): void {
    const [what, act] = this.scheduler.random.pick(this.#all);
    this.scheduler.trace?.(`mishap: ${what}`);
    act();
  }

  /** Undo what lasts. */
  repair(): void {
    for (const server of this.servers) if (server?.isUp === false) server.restart(0);
    for (const { process } of [this.host, ...this.guests]) if (process) process.pausedUntil = 0;
    for (const port of this.host.ports) port.isUp = port.receives = true;
    for (const guest of this.guests) askToLeave(guest, false);
  }

  #aGuest(): SimGuest {
    return this.scheduler.random.pick(this.guests);
  }

  #aServer(): SimServer | undefined {
    return this.scheduler.random.pick(this.servers);
  }

  #aPort(act: (port: SimHost["ports"][number]) => void): void {
    const { ports } = this.host;
    if (ports.length > 0) act(this.scheduler.random.pick(ports));
  }

  #pause({ process }: SimGuest | SimHost): void {
    const { now, random } = this.scheduler;
    if (process) process.pausedUntil = now + random.below(5000);
  }
}

/** As `culvert unplug` does, or takes back. */
function askToLeave({ place: { region, number, memory } }: SimGuest, isAsked: boolean): void {
  try {
    GuestState.attach(Region.attach(memory, region), number).askToLeave(isAsked);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error; // there is no host now
  }
}
