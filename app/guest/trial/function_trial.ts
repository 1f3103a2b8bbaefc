import { CulvertError } from "../../../ffi/error.ts";
import { Chain, type OnError } from "../function/chain.ts";
import { FunctionContext } from "../function/context.ts";
import { COUNTERS_BYTES, FunctionCounters, readCounters } from "../../channel/function_counters.ts";
import type { LoadedFunction } from "../function/load.ts";
import { Progress } from "../function/progress.ts";
import { setUpFunction, whyNotSetUp } from "../function/set_up.ts";
import { GuestLane } from "../guest_lane.ts";
import { pairPorts } from "../port_map.ts";
import { TxBuffer } from "../tx_buffer.ts";
import { VirtualPorts } from "../virtual_port.ts";
import { TrialRegion } from "./trial_region.ts";

/** Nanoseconds of a trial's time from one look at the timers to the next, as an idle guest does. */
const STEP_NS = 100e6;

/** Most steps from one burst to the next: an hour of them, then they get longer. */
const STEPS_MAX = 36_000;

/** A frame that was sent. */
export interface SentFrame {
  /** The number of the port that it was sent by. */
  readonly port: number;
  /** What was sent. */
  readonly bytes: Uint8Array;
  /** When, in milliseconds after the beginning. */
  readonly at: number;
  /** Its number among the frames that were given, from 0; left out if a function has made it. */
  readonly frame?: number;
}

/** What became of a frame. */
export interface TriedFrame {
  /** `failed`: dropped, as the function of its burst has thrown. */
  readonly what: "sent" | "dropped" | "failed";
  /** If it was sent, the number of the port. */
  readonly port?: number;
  /** If it was sent, its bytes then. */
  readonly bytes?: Uint8Array;
  /** What the function of its burst has thrown. */
  readonly error?: unknown;
}

/** The `setup()` of a function has thrown, or returned what is no function. */
export class SetupError extends Error {
  /**
   * The `setup()` of the function of this name.
   *
   * @param cause What it has thrown.
   */
  constructor(readonly functionName: string, override readonly cause: unknown) {
    super(`Cannot set up function ${functionName} as ${whyNotSetUp(cause)}`);
  }
}

/** How functions are tried. */
export interface TrialOptions {
  /** Ports that the guest has: neighbours are paired, an odd one with itself. */
  readonly ports: number;
  /** Frames in a burst, at most. */
  readonly burst: number;
  /** The longest frame in bytes. */
  readonly frameMax: number;
  /** What becomes of frames whose function has thrown. */
  readonly onError: Exclude<OnError, "stop">;
  /** Told what functions log. */
  readonly log: (line: string) => void;
  /** Tells other threads which function is at work. */
  readonly progress?: Progress;
}

/** A guest of one lcore in memory of this process, with a clock that its caller moves on. */
export class FunctionTrial implements Disposable {
  /** The longest frame that there is room for, in bytes. */
  readonly frameMax: number;
  readonly #region: TrialRegion;
  readonly #chain: Chain;
  readonly #lanes: readonly GuestLane[];
  readonly #outputs: TxBuffer[] = [];
  readonly #counters = new SharedArrayBuffer(COUNTERS_BYTES);
  readonly #options: TrialOptions;
  #now = STEP_NS;
  #given = 0;

  /**
   * Set the functions up.
   *
   * @throws {SetupError} if the `setup()` of a function throws.
   */
  constructor(functions: readonly LoadedFunction[], options: TrialOptions) {
    const { ports, burst } = options;
    this.#options = options;
    this.#region = new TrialRegion(ports, burst, options.frameMax);
    this.frameMax = this.#region.frameMax;
    this.#chain = this.#chainOf(functions);
    const answers = functions.some(({ module }) => module.answers === true);
    const pairs = pairPorts(this.#region.ports.map(({ number }) => number));
    const ends = new VirtualPorts(this.#region.memory, () => false);
    const { mbufs, ports: handles } = this.#region;
    const to = (port: number) => answers ? port : pairs.get(port)!;
    for (const from of handles) {
      this.#outputs[to(from.number)] = new TxBuffer(
        ends.tx(handles[to(from.number)]),
        ends.rx(from),
        burst,
      );
    }
    this.#lanes = handles.map((from) =>
      new GuestLane({
        ...{ mbufs, burst, from: ends.rx(from), frameMax: this.frameMax, isChecked: true },
        ...{ out: this.#outputs[to(from.number)], outputs: this.#outputs },
      })
    );
  }

  /** Frames that it was given so far. */
  get given(): number {
    return this.#given;
  }

  /** How often a function has thrown, or done to frames what cannot be sent. */
  get failures(): number {
    return this.#chain.failures;
  }

  /** The first error of those. */
  get firstFailure(): { readonly error: unknown } | undefined {
    return this.#chain.firstFailure;
  }

  /** What functions have counted, by name. */
  get counters(): Record<string, number> {
    return Object.fromEntries(readCounters(new Uint8Array(this.#counters)));
  }

  /**
   * Let time pass, until `nanoseconds` after the beginning: ten times a second timers are looked
   * at, and functions that make frames get bursts without one.
   *
   * @returns what was sent meanwhile.
   */
  passUntil(nanoseconds: number): SentFrame[] {
    const end = STEP_NS + nanoseconds;
    const sent: SentFrame[] = [];
    const steps = Math.min(STEPS_MAX, Math.floor((end - this.#now) / STEP_NS));
    const step = steps > 0 ? (end - this.#now) / steps : 0;
    for (let i = 0; i < steps; i++) {
      this.#now += step;
      this.#chain.tick(this.#now / 1e6);
      if (!this.#chain.originates) continue;
      for (let port = 0; port < this.#lanes.length; port++) sent.push(...this.run(port, []).sent);
    }
    this.#now = Math.max(this.#now, end);
    this.#chain.tick(this.#now / 1e6);
    return sent;
  }

  /**
   * Let a burst come by a port, not more frames than fit into one.
   *
   * @throws {CulvertError} if there is no such port, or a frame is too long.
   */
  run(port: number, frames: readonly Uint8Array[]): { frames: TriedFrame[]; sent: SentFrame[] } {
    const lane = this.#lanes[port];
    if (lane === undefined) {
      const last = this.#lanes.length - 1;
      throw new CulvertError(
        `Cannot try a frame of port ${port}: there are ports 0 to ${last}; ask for more`,
      );
    }
    const first = this.#given;
    this.#given += frames.length;
    if (this.#chain.originates) this.#region.lendEmpty(port);
    const lent = this.#region.lend(port, frames);
    this.#chain.thrown = undefined;
    lane.turn(this.#chain);
    for (const output of this.#outputs) output.flush();

    const at = (this.#now - STEP_NS) / 1e6;
    const { thrown } = this.#chain;
    const error = thrown === undefined ? undefined : { error: thrown };
    const [tried, sent]: [TriedFrame[], SentFrame[]] = [[], []];
    for (const { mbuf, port, bytes } of this.#region.take()) {
      const index = lent.indexOf(mbuf);
      const isGiven = index >= 0;
      if (port !== undefined) {
        sent.push({ port, bytes, at, ...isGiven ? { frame: first + index } : {} });
      }
      if (!isGiven) continue;
      tried[index] = {
        ...port === undefined ? { what: error ? "failed" : "dropped" } : { what: "sent" },
        ...port === undefined ? {} : { port, bytes },
        ...error,
      };
    }
    return { frames: tried, sent };
  }

  /** Free its memory. */
  [Symbol.dispose](): void {
    this.#region[Symbol.dispose]();
  }

  #chainOf(functions: readonly LoadedFunction[]): Chain {
    const { onError, log, progress = new Progress() } = this.#options;
    const counters = new FunctionCounters(this.#counters);
    const ports = this.#region.ports.map(({ number, name, mac }) => ({ number, name, mac }));
    const links = functions.map(({ handle: { name, options }, module }, i) => {
      const clock = () => this.#now;
      const context = new FunctionContext(ports, 0, 1, options, counters, log, clock);
      progress.call(i);
      try {
        return { name, context, run: setUpFunction(module, context) };
      } catch (error) {
        throw new SetupError(name, error);
      }
    });
    progress.leave();
    const originates = functions.some(({ module }) => module.originates === true);
    return new Chain(links, originates, onError, log, progress);
  }
}
