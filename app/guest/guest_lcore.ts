import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { COMMAND, type CommandWord } from "../lcore/command.ts";
import { Idle, type IdleMode } from "../lcore/idle.ts";
import { BUSY_LCORES, GUEST } from "../memory/layout.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { isOver, type Lease } from "./attachment.ts";
import { GuestLoop } from "./forward.ts";
import { Chain, type ChainLink, type OnError, told } from "./function/chain.ts";
import { FunctionContext, type PortDescription } from "./function/context.ts";
import { FunctionCounters } from "../channel/function_counters.ts";
import type { LoadedFunction } from "./function/load.ts";
import { Progress } from "./function/progress.ts";
import { setUpFunction, whyNotSetUp } from "./function/set_up.ts";
import { GuestAlarm } from "./guest_alarm.ts";
import { GuestLane } from "./guest_lane.ts";
import { type Interrupts, wakerOf } from "./interrupts.ts";
import { closeBursts } from "../ring/burst.ts";
import { TxBuffer } from "./tx_buffer.ts";
import { leadsTo, type TxEnd, type VirtualPortHandle, VirtualPorts } from "./virtual_port.ts";

/** Longest sleep where functions have timers. */
const TIMERS_SLEEP_US = 100_000;

/** A {@linkcode GuestLcore} on its way to its thread; survives `postMessage`. */
export interface GuestLcoreHandle {
  /** The region's memory, which the main thread has mapped and will unmap. */
  readonly region: MappedMemoryHandle;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** When to stop touching the region. */
  readonly lease: Lease;
  /** What becomes of frames whose function has thrown. */
  readonly onError: OnError;
  /** What the functions count: `COUNTERS_BYTES`, zeros at first. */
  readonly counters: SharedArrayBuffer;
  /** How far the functions have come: `PROGRESS_BYTES`, zeros at first. */
  readonly progress: SharedArrayBuffer;
  /** What the lcore that this one takes over from has left, if there was one. */
  readonly before?: LcoreLegacy;
  /** How to be woken, and to wake the host; undefined if there are no interrupts. */
  readonly interrupts?: Interrupts;
  /** Whether the host wakes us. */
  readonly isNotified: boolean;
  /** This lcore's number among the guest's, from 0: also its vector, if the guest has so many. */
  readonly lcore: number;
  /** How many lcores the guest has. */
  readonly lcores: number;
  /** What to do in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
  /** The longest frame that is sent, in bytes. */
  readonly frameMax: number;
  /** Whether all that functions do is looked at. */
  readonly isChecked: boolean;
  /** All ports of the guest, by number. */
  readonly ports: readonly PortDescription[];
  /** From which port to which. */
  readonly lanes: readonly { from: VirtualPortHandle; to: VirtualPortHandle }[];
}

/** What the functions of an lcore leave to those that take over. */
export interface LcoreLegacy {
  /** What each function has saved. */
  readonly saved: Saved;
  /** What they have counted, by name. */
  readonly counted: ReadonlyMap<string, number>;
  /** Whether functions are to go on without what was saved, if they cannot restore it. */
  readonly isOptional?: boolean;
}

/** What the functions of an lcore have saved, in their order. */
export type Saved = readonly unknown[];

/** A guest lcore in its own thread: its lanes, its functions, and the loop over them. */
export class GuestLcore {
  /** In the order of the handle. */
  readonly lanes: readonly GuestLane[];
  readonly #loop: GuestLoop;
  readonly #isRetired: () => boolean;

  /**
   * Make all of it, in the thread that will run it.
   *
   * @param functions What is done to each burst, in order.
   * @param options.memory The region's, as this thread has it.
   * @param options.clock Nanoseconds, for what is done at intervals.
   * @throws what the `setup()` of a function throws.
   */
  constructor(
    handle: GuestLcoreHandle,
    command: CommandWord,
    log: Log,
    functions: readonly LoadedFunction[],
    { memory = new MappedMemory(handle.region), clock }: {
      readonly memory?: MappedMemory;
      readonly clock?: () => number;
    } = {},
  ) {
    const { lease, lcore, interrupts, burst, frameMax, isChecked } = handle;
    const mbufs = new Mbufs(memory, handle.geometry);
    this.#isRetired = () => isOver(memory, lease);
    const isOverNow = () => command.value !== COMMAND.RUN || isOver(memory, lease);
    const ends = new VirtualPorts(memory, isOverNow, interrupts && wakerOf(interrupts));

    const buffers = new Map<TxEnd, TxBuffer>();
    for (const { from, to } of handle.lanes) {
      const end = ends.tx(to);
      if (!buffers.has(end)) buffers.set(end, new TxBuffer(end, ends.rx(from), burst));
    }
    const parts = { mbufs, burst, frameMax, isChecked };
    this.lanes = handle.lanes.map(({ from, to: own }) => {
      const outputs: (TxBuffer | undefined)[] = handle.ports.map(() => undefined);
      for (const { to } of handle.lanes) {
        if (leadsTo(from, to)) outputs[to.number] = buffers.get(ends.tx(to));
      }
      return new GuestLane({ ...parts, from: ends.rx(from), outputs, out: outputs[own.number]! });
    });
    const used = [...buffers.values()];

    const fd = handle.isNotified ? interrupts?.vectors[lcore] : undefined;
    const alarm = new GuestAlarm(memory, used, fd === undefined ? fd : { fd, vector: lcore });
    for (const lane of this.lanes) alarm.add(lane);
    const chain = chainOf(handle, functions, log, clock);
    const sleepMaxUs = chain.hasTimers ? TIMERS_SLEEP_US : undefined;
    const idle = new Idle(handle.idle, alarm, undefined, sleepMaxUs);
    idle.watch([command.handle.wakeFd]);
    const beat = () => {
      const { heartbeatWord } = lease;
      memory.store(heartbeatWord, (memory.load(heartbeatWord) + 1) >>> 0);
    };
    const busyWord = lease.heartbeatWord - GUEST.HEARTBEAT + GUEST.BUSY + lcore;
    const tellBusy = (share: number) => {
      const part = Math.round(1000 * Math.min(1, Math.max(0, share)));
      if (lcore < BUSY_LCORES) memory.store(busyWord, part + 1);
    };
    const loop = [this.lanes, used, chain, isOverNow, beat, tellBusy, idle, clock] as const;
    this.#loop = new GuestLoop(...loop);
    new Progress(handle.progress).begin();
  }

  /**
   * What the Worker of a guest lcore does: make it, forward until told to stop, send what waits.
   *
   * @returns what the functions have saved.
   */
  static run(
    handle: GuestLcoreHandle,
    command: CommandWord,
    log: Log,
    functions: readonly LoadedFunction[],
  ): Saved {
    const lcore = new GuestLcore(handle, command, log, functions);
    while (lcore.turn());
    lcore.close();
    closeBursts();
    const progress = new Progress(handle.progress);
    return functions.map((loaded, i) => {
      progress.call(i);
      const saved = saveOf(loaded, log);
      progress.leave();
      return saved;
    });
  }

  /** One turn of the loop; false if it is over. */
  turn(): boolean {
    return this.#loop.turn();
  }

  /** Send what has waited for a full burst, unless the region is no longer ours. */
  close(): void {
    if (!this.#isRetired()) this.#loop.flush();
  }
}

/** Set the functions up for one lcore. */
function chainOf(
  { ports, lcore, lcores, counters, before, onError, ...handle }: GuestLcoreHandle,
  functions: readonly LoadedFunction[],
  log: Log,
  clock?: () => number,
): Chain {
  const own = new FunctionCounters(counters, before?.counted);
  const progress = new Progress(handle.progress);
  const setUp = (loaded: LoadedFunction, saved: unknown): ChainLink => {
    const { handle: { name, options }, module } = loaded;
    const context = new FunctionContext(ports, lcore, lcores, options, own, log, clock);
    try {
      const run = setUpFunction(module, context);
      if (saved !== undefined) module.restore?.(saved);
      return { name, context, run };
    } catch (error) {
      const reason = `Cannot set up function ${name} as ${whyNotSetUp(error)}`;
      if (saved === undefined || !before?.isOptional) throw new CulvertError(reason);
      log(`${reason}; it begins anew, without what it has saved`, { level: "error" });
      return setUp(loaded, undefined);
    }
  };
  const links = functions.map((loaded, i) => {
    progress.call(i);
    try {
      return setUp(loaded, before?.saved[i]);
    } finally {
      progress.leave();
    }
  });
  const originates = functions.some(({ module }) => module.originates === true);
  const offloads = functions.every(({ module }) => module.offloads === true);
  return new Chain(links, originates, onError, log, progress, offloads);
}

/** What a function saves for its next version; nothing, and a line in the log, if it cannot. */
function saveOf(
  { handle: { name }, module }: LoadedFunction,
  log: Log,
): unknown {
  try {
    return structuredClone(module.save?.());
  } catch (error) {
    const why = error instanceof DOMException && error.name === "DataCloneError"
      ? `what it gives cannot be copied: ${error.message}`
      : `it has thrown: ${told(error)}`;
    const reason = `Cannot save the state of function ${name} as ${why}`;
    log(`${reason}; the next version begins without it`, { level: "error" });
  }
}
