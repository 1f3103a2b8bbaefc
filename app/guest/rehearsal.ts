import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { SleepFlag } from "../channel/sleep_flag.ts";
import { Channel } from "../channel/channel.ts";
import { COUNTERS_BYTES } from "../channel/function_counters.ts";
import { CommandWord } from "../lcore/command.ts";
import type { IdleMode } from "../lcore/idle.ts";
import { REHEARSAL, type Rehearsed, type RehearsedLcore, rehearseFor } from "../lcore/rehearsal.ts";
import { GUEST, HEADER } from "../memory/layout.ts";
import type { LoadedFunction } from "./function/load.ts";
import { PROGRESS_BYTES } from "./function/progress.ts";
import { GuestLcore } from "./guest_lcore.ts";
import { TrialRegion } from "./trial/trial_region.ts";

const BURST = 32, FRAME_MAX = 1522;

/** Two functions, so that V8 does not compile for one alone; no function of users' is called. */
const FUNCTIONS: readonly LoadedFunction[] = [() => {}, () => {}].map((nothing) => ({
  handle: { name: "rehearsal", options: {} },
  module: { default: nothing, offloads: true },
}));

/**
 * Have the thread of a guest's lcore rehearse ({@linkcode rehearseFor}), in memory of its own. No
 * function of users' is called.
 *
 * @param idle What the lcore will do when idle.
 */
export function rehearse(idle: IdleMode): Rehearsed {
  return rehearseFor(idle, (mode) => new Stage(mode));
}

/** All that one guest lcore needs, and the host's ends of its channels. */
class Stage implements RehearsedLcore {
  readonly #region = new TrialRegion(2, BURST, FRAME_MAX);
  readonly #command = CommandWord.create();
  readonly #hostFd = check(shim.shim_eventfd(), "make an eventfd");
  readonly #guestFd = check(shim.shim_eventfd(), "make an eventfd");
  readonly #lcore: GuestLcore;
  readonly #flags: readonly SleepFlag[];
  readonly #frames = [new Uint8Array(REHEARSAL.FRAME_BYTES)];

  constructor(idle: IdleMode) {
    const { memory, ports, mbufs } = this.#region;
    const [a, b] = ports;
    const start = (memory.bytes >>> 2) - GUEST.COUNTERS; // behind all memzones
    const handle = {
      region: memory.handle,
      geometry: { offset: mbufs.offset, stride: mbufs.stride, count: mbufs.count },
      lease: {
        epoch: memory.load(HEADER.EPOCH),
        incarnation: 0,
        incarnationWord: start + GUEST.INCARNATION,
        heartbeatWord: start + GUEST.HEARTBEAT,
      },
      onError: "drop",
      counters: new SharedArrayBuffer(COUNTERS_BYTES),
      progress: new SharedArrayBuffer(PROGRESS_BYTES),
      interrupts: { vectors: [this.#guestFd], host: { eventfds: [this.#hostFd] } },
      isNotified: true,
      ...{ lcore: 0, lcores: 1, idle, burst: BURST, frameMax: FRAME_MAX, isChecked: false },
      ports,
      lanes: [{ from: a, to: b }, { from: b, to: a }],
    } as const;
    this.#lcore = new GuestLcore(handle, this.#command, () => {}, FUNCTIONS, { memory });
    this.#flags = ports.map(({ place }) => {
      return new SleepFlag(memory, new Channel(memory, place).hostSleepWord, 0);
    });
  }

  /** While the host sleeps. */
  pass(from: number): number {
    for (const flag of this.#flags) flag.raise();
    this.#region.lend(from, this.#frames);
    shim.shim_eventfd_signal(this.#guestFd);
    for (let i = 0; i < REHEARSAL.TURNS; i++) this.#lcore.turn();
    for (const flag of this.#flags) flag.lower();
    shim.shim_eventfd_drain(this.#hostFd);
    return this.#region.take().filter(({ port }) => port === 1 - from).length;
  }

  [Symbol.dispose](): void {
    this.#lcore.close();
    for (const fd of [this.#hostFd, this.#guestFd]) shim.shim_fd_close(fd);
    this.#command.close();
    this.#region[Symbol.dispose]();
  }
}
