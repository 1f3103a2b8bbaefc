import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { COMMAND, type CommandWord } from "../lcore/command.ts";
import { Idle, type IdleMode } from "../lcore/idle.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { isOver, type Lease } from "./attachment.ts";
import { GuestLoop } from "./forward.ts";
import { MODES } from "./functions/mod.ts";
import { GuestAlarm } from "./guest_alarm.ts";
import { type ForwardingMode, GuestLane, type LaneOptions } from "./guest_lane.ts";
import { type Interrupts, wakerOf } from "./interrupts.ts";
import { type VirtualPortHandle, VirtualPorts } from "./virtual_port.ts";

/** A {@linkcode GuestLcore} on its way to its thread; survives `postMessage`. */
export interface GuestLcoreHandle extends LaneOptions {
  /** The region's memory, which the main thread has mapped and will unmap. */
  readonly region: MappedMemoryHandle;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** When to stop touching the region. */
  readonly lease: Lease;
  /** A key of `MODES`. */
  readonly mode: string;
  /** How to be woken, and to wake the host; undefined if that is not to be had. */
  readonly interrupts?: Interrupts;
  /** Whether the host wakes us. */
  readonly isNotified: boolean;
  /** This lcore's number among the guest's, from 0: its vector, if there is such a one. */
  readonly lcore: number;
  /** What to do in turns that find nothing. */
  readonly idle: IdleMode;
  /** From which port to which. */
  readonly lanes: readonly { from: VirtualPortHandle; to: VirtualPortHandle }[];
}

/** A guest lcore in its own thread: its lanes, and the loop over them. */
export class GuestLcore {
  /** In the order of the handle. */
  readonly lanes: readonly GuestLane[];
  readonly #loop: GuestLoop;
  readonly #isRetired: () => boolean;

  /**
   * Make all of it, in the thread that will run it.
   *
   * @param options.mode What is done to each burst; what the handle names unless told.
   * @param options.memory The region's, as this thread has it.
   * @param options.clock Nanoseconds, for what is done after a time.
   */
  constructor(
    handle: GuestLcoreHandle,
    command: CommandWord,
    { mode = MODES[handle.mode], memory = new MappedMemory(handle.region), clock }: {
      readonly mode?: ForwardingMode;
      readonly memory?: MappedMemory;
      readonly clock?: () => number;
    } = {},
  ) {
    const { lease, lcore, interrupts } = handle;
    const mbufs = new Mbufs(memory, handle.geometry);
    this.#isRetired = () => isOver(memory, lease);
    const isOverNow = () => command.value !== COMMAND.RUN || isOver(memory, lease);
    const ports = new VirtualPorts(memory, isOverNow, interrupts && wakerOf(interrupts));
    this.lanes = handle.lanes.map(({ from, to }) => new GuestLane(mbufs, ports, from, to, handle));
    const fd = handle.isNotified ? interrupts?.vectors[lcore] : undefined;
    const alarm = new GuestAlarm(memory, fd === undefined ? fd : { fd, vector: lcore });
    for (const lane of this.lanes) alarm.add(lane);
    const idle = new Idle(handle.idle, alarm);
    idle.watch([command.handle.wakeFd]);
    this.#loop = new GuestLoop(this.lanes, mode, isOverNow, idle, handle.burst, clock);
  }

  /** The body of a guest lcore's Worker: make it, forward until the stop, send what waits. */
  static run(handle: GuestLcoreHandle, command: CommandWord): void {
    const lcore = new GuestLcore(handle, command);
    while (lcore.turn());
    lcore.close();
  }

  /** One turn of the loop; false if it is over. */
  turn(): boolean {
    return this.#loop.turn();
  }

  /** Send what has waited for a full burst, unless the region is ours no more. */
  close(): void {
    if (!this.#isRetired()) this.#loop.flush();
  }
}
