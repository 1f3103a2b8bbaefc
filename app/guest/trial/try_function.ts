import { CulvertError } from "../../../ffi/error.ts";
import { BURST_DEFAULT, BURST_MAX } from "../../ring/burst.ts";
import {
  checkExports,
  type FrameFunction,
  type FunctionModule,
  readSettings,
} from "../function/function_module.ts";
import type { LoadedFunction } from "../function/load.ts";
import { isNoFunction } from "../function/set_up.ts";
import { FunctionTrial, type SentFrame, SetupError, type TriedFrame } from "./function_trial.ts";

/** Bytes of a frame of MTU 1500, header and two tags included; most that a frame may have. */
const FRAME_BYTES = 1522, FRAME_BYTES_MAX = 65_535;

/** Most ports that a guest has. */
const PORTS_MAX = 32;

/** A frame that comes by a port, at a time. */
export interface GivenFrame {
  /** Its bytes, Ethernet header first, no FCS. */
  readonly bytes: Uint8Array;
  /** The number of the port that it comes by: 0 by default. */
  readonly port?: number;
  /** When, in milliseconds after the beginning; by default with the frame before. */
  readonly at?: number;
}

/** Options of a function, by key. */
export type OptionValues = Readonly<Record<string, string | number | boolean>>;

/** How {@linkcode tryFunction} tries a function. */
export interface TryOptions {
  /** Ports that the guest has, 1 to 32: 2 by default. Neighbours are paired. */
  readonly ports?: number;
  /** What `--set` would give, by key; of a chain for each function, in their order. */
  readonly set?: OptionValues | readonly OptionValues[];
  /** Frames of one port and one moment that make a burst, at most: 32 by default, at most 256. */
  readonly burst?: number;
  /** What becomes of frames whose function has thrown: they are dropped by default. */
  readonly onError?: "drop" | "pass";
  /**
   * How long it goes on, in milliseconds after the beginning; by default it ends with the last
   * frame. While time passes timers are called, and functions that originate frames get bursts
   * without one, ten times a second.
   */
  readonly until?: number;
}

/** What a function has done. */
export interface Tried {
  /** What became of each frame, in their order. */
  readonly frames: readonly TriedFrame[];
  /** All frames that were sent, those that the function has made included. */
  readonly sent: readonly SentFrame[];
  /** What the function has counted, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** What it has logged, and where it has thrown. */
  readonly log: readonly string[];
}

/**
 * Run a network function over frames, in memory of this process: neither root nor a host is needed,
 * only FFI permission for the shim.
 *
 * The code around the function is the guest's own: one lcore, and a way from each port. Time passes
 * as the frames say.
 *
 * @param tried The module, or the function that would be its default export; several make a chain,
 * in which each gets the frames that the one before has kept.
 * @throws {UsageError} if an option in `set` is wrong.
 * @throws {CulvertError} if the module has no function, or one that is async; if a frame is longer
 * than 65,535 bytes, or there is no such port.
 * @throws what `setup()` throws.
 *
 * @example
 * ```ts
 * import { type Burst, ETHERTYPE, ethernet } from "../../function.ts";
 * import { frame, tryFunction } from "../../testing.ts";
 *
 * const noArp = (burst: Burst) => {
 *   for (let i = 0; i < burst.count; i++) {
 *     if (ethernet.type(burst, i) === ETHERTYPE.ARP) burst.drop(i);
 *   }
 * };
 * const { frames } = await tryFunction(noArp, [frame.arp(), frame.udp()]);
 * console.assert(frames[0].what === "dropped");
 * console.assert(frames[1].what === "sent" && frames[1].port === 1);
 * ```
 */
export async function tryFunction(
  tried: FunctionModule | FrameFunction | readonly (FunctionModule | FrameFunction)[],
  frames: readonly (Uint8Array | GivenFrame)[],
  { ports = 2, set = {}, burst = BURST_DEFAULT, onError = "drop", until = 0 }: TryOptions = {},
): Promise<Tried> {
  checkCount("ports", ports, PORTS_MAX);
  checkCount("burst", burst, BURST_MAX);
  const chain = Array.isArray(tried) ? tried : [tried];
  const sets = Array.isArray(set) ? set : [set];
  if (sets.length > Math.max(1, chain.length)) {
    throw new CulvertError(
      `Cannot set options of function ${chain.length + 1} as the chain has ${chain.length}`,
    );
  }
  const loaded = await Promise.all(chain.map((one, i) => load(one, sets[i] ?? {})));
  const given = frames.map((frame) => frame instanceof Uint8Array ? { bytes: frame } : frame);
  const longest = Math.max(FRAME_BYTES, ...given.map(({ bytes }) => bytes.length));
  const frameMax = Math.min(longest, FRAME_BYTES_MAX);
  const log: string[] = [];
  const result = { frames: [] as TriedFrame[], sent: [] as SentFrame[] };

  using trial = setUp(loaded, {
    ...{ ports, burst, frameMax, onError },
    log: (line) => log.push(line),
  });
  for (const { at, port, frames } of burstsOf(given, burst)) {
    result.sent.push(...trial.passUntil(at * 1e6));
    const done = trial.run(port, frames);
    result.frames.push(...done.frames);
    result.sent.push(...done.sent);
  }
  result.sent.push(...trial.passUntil(until * 1e6));
  return { ...result, counters: trial.counters, log };
}

/** A function as a guest has it. */
async function load(
  tried: FunctionModule | FrameFunction,
  set: OptionValues,
): Promise<LoadedFunction> {
  const module = typeof tried === "function" ? { default: tried } : tried;
  const texts = Object.entries(set).map(([key, value]) => [key, String(value)]);
  const name = nameOf(module);
  checkExports(name, module);
  const options = await readSettings(name, module, Object.fromEntries(texts));
  return { handle: { name, options }, module };
}

function setUp(...[loaded, options]: ConstructorParameters<typeof FunctionTrial>): FunctionTrial {
  try {
    return new FunctionTrial(loaded, options);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    throw isNoFunction(error.cause) ? new CulvertError(error.message) : error.cause;
  }
}

/** What logs call the function: as its file does, if it has a name there. */
function nameOf({ default: run }: FunctionModule): string {
  return run === undefined || ["", "default"].includes(run.name) ? "tried" : run.name;
}

function checkCount(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new CulvertError(`Cannot try a function with ${name} ${value}: 1 to ${most} are wanted`);
}

/** Frames that follow each other by one port, at one time, together. */
function burstsOf(given: readonly GivenFrame[], most: number) {
  const bursts: { at: number; port: number; frames: Uint8Array[] }[] = [];
  let now = 0;
  for (const { bytes, port = 0, at = now } of given) {
    const last = bursts.at(-1);
    now = Math.max(now, at);
    if (last?.port === port && last.at === now && last.frames.length < most) {
      last.frames.push(bytes);
    } else bursts.push({ at: now, port, frames: [bytes] });
  }
  return bursts;
}
