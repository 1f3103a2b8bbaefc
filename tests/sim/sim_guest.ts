import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { isOver } from "../../app/guest/attachment.ts";
import type { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import type { FrameFunction } from "../../app/guest/function/function_module.ts";
import { Guest } from "../../app/guest/guest.ts";
import { GuestLcore, type GuestLcoreHandle } from "../../app/guest/guest_lcore.ts";
import { PeerLink, type RegionLink } from "../../app/guest/region_link.ts";
import { testLink } from "../guest/test_link.ts";
import { InlineThread } from "../lcore/inline_thread.ts";
import { GUEST_DEFAULTS } from "../guest/guest_defaults.ts";
import type { Frames } from "./frames.ts";
import { Process, SimMemory, type Thread } from "./processes.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimPeer, SimServer } from "./sim_server.ts";

/** One in so many atomic accesses, and bursts, is a moment at which others go first. */
const ACCESS_ODDS = 40, BURST_ODDS = 12;

/** A place for a guest. */
export interface GuestPlace {
  readonly scheduler: Scheduler;
  readonly frames: Frames;
  readonly region: string;
  readonly memory: MappedMemory;
  readonly server?: SimServer;
  readonly number: number;
  /** Guests that are joined by links may see each other's frames. */
  readonly group: string;
  /** Whether it makes frames in mbufs that it is lent, and drops what it receives. */
  readonly makesFrames: boolean;
}

/** A guest of the simulation: killed or stopped, another one claims its place. */
export class SimGuest implements Thread {
  readonly name: string;
  process?: Process;
  dueAt = 0;
  isBusy = false;
  guest?: Guest;
  /** Whether it has been sent a signal to stop, which it takes before its next step. */
  isToStop = false;
  /** Guests that have begun, and those that an error ended. */
  starts = 0;
  failures = 0;
  #thread?: InlineThread<GuestLcoreHandle, GuestLcore>;
  #peers: SimPeer[] = [];

  constructor(readonly place: GuestPlace) {
    this.name = `guest ${place.region}${place.number}`;
  }

  /** The guest's lcore, as a thread of its process. */
  lcore(): Thread {
    const get = () => this.process;
    return {
      name: `${this.name} lcore`,
      get process() {
        return get();
      },
      dueAt: 0,
      isBusy: false,
      step: () => this.#thread?.turn(),
    };
  }

  /** Whether its lcore may use the place, by the lease that it has. */
  get hasLease(): boolean {
    const { running, handle } = this.#thread ?? {};
    return running !== undefined && !this.process!.isDead &&
      !isOver(this.place.memory, handle!.lease);
  }

  step(): void {
    const { scheduler } = this.place;
    const guest = this.guest ??= this.#start();
    if (this.isToStop) guest.stop();
    this.isToStop = false;
    try {
      guest.step();
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      scheduler.trace?.(`${this.name}: ${error.message}`);
      this.failures++;
      return this.#end(guest);
    }
    this.dueAt = scheduler.now + guest.stepMs;
    if (guest.isOver) this.#end(guest);
  }

  /** The process is killed. */
  kill(): void {
    if (this.process === undefined || this.process.isDead) return;
    this.process.isDead = true;
    for (const peer of this.#peers) peer.close();
  }

  /** Once no thread of a killed process is in a step, another may begin. */
  bury(): void {
    if (this.process?.isDead && this.process.busy === 0) this.#forget();
  }

  #end(guest: Guest): void {
    guest.close();
    for (const peer of this.#peers) peer.close();
    this.#forget();
  }

  #forget(): void {
    const { scheduler: { now, random } } = this.place;
    this.process = this.guest = this.#thread = undefined;
    this.isToStop = false;
    this.#peers = [];
    this.dueAt = now + random.below(1000);
  }

  #start(): Guest {
    const { scheduler, region, number, makesFrames } = this.place;
    const process = this.process = new Process(`${this.name} ${++this.starts}`, () => this.kill());
    process.busy++; // the step that this is
    const options = { ...GUEST_DEFAULTS, source: { region }, guest: number, burst: 8 };
    const handle = { name: "sim", options: {} };
    const offloads = !makesFrames && scheduler.random.below(3) > 0;
    const functions = {
      handles: [handle],
      originates: makesFrames,
      offloads,
      answers: makesFrames,
    };
    return new Guest(options, functions, {
      regionNames: () => [],
      openLink: () => this.#openLink(process),
      spawn: (core) => {
        const run = this.#function(process, offloads);
        const module = { originates: makesFrames, offloads, default: run };
        const clock = () => scheduler.now * 1e6;
        return this.#thread = new InlineThread(
          core,
          (lcore: GuestLcoreHandle, command) => {
            const parts = { memory: this.#memory(process), clock };
            return new GuestLcore(lcore, command, () => {}, [{ handle, module }], parts);
          },
        );
      },
      clock: () => scheduler.now,
      log: (line) => scheduler.trace?.(`${this.name}: ${line}`),
      wake() {},
    });
  }

  #memory(process: Process): SimMemory {
    const { scheduler, memory: { handle } } = this.place;
    return new SimMemory(handle, () => scheduler.interrupt(process, ACCESS_ODDS));
  }

  #openLink(process: Process): RegionLink | undefined {
    const { scheduler, server, region } = this.place;
    const memory = this.#memory(process);
    if (server === undefined) return testLink(memory);
    const joined = (member: SimPeer) => void this.#peers.push(member);
    const member = server.join();
    if (member === undefined) return undefined;
    joined(member);
    const opened = { memory, peer: member.peer, close: () => member.close() };
    const log = (line: string) => scheduler.trace?.(`${this.name}: ${line}`);
    return new PeerLink(region, opened, member.peer, server.reconnector(joined), log);
  }

  /**
   * What is done to a burst. Here others may go first, until the guest was retired or its host is
   * another: then it does in the rest of this turn what it would have done. It must not write to
   * frames any more, so a guest that makes frames is not interrupted; nor is what it sees then
   * anybody's promise.
   */
  #function(process: Process, offloads: boolean): FrameFunction {
    const { scheduler, frames, group, makesFrames } = this.place;
    const see = (burst: FrameBurst) => {
      if (!this.hasLease) return;
      for (let i = 0; i < burst.count; i++) {
        frames.received(burst.memory, burst.words, i, group);
        if (!offloads && burst.isSuperFrame(i)) frames.faults.push("a super-frame was not wanted");
      }
    };
    if (makesFrames) {
      return (burst) => {
        see(burst);
        for (let i = 0; i < burst.count; i++) burst.drop(i);
        while (this.hasLease) {
          const made = burst.add(burst.to);
          if (made < 0 || !this.hasLease) return;
          frames.write(burst.memory, burst.words, made, group);
        }
      };
    }
    return (burst) => {
      see(burst);
      scheduler.interrupt(process, BURST_ODDS);
      if (burst.count > 0 && scheduler.random.below(8) === 0) burst.drop(burst.count - 1);
    };
  }
}
