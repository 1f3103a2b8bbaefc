import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import type { Attachment, Push } from "./attachment.ts";
import { describeWays } from "./describe_ways.ts";
import type { GuestOptions } from "./guest_options.ts";
import type { Interrupts } from "./interrupts.ts";
import type { LcoreLegacy } from "./guest_lcore.ts";
import { type Common, LcoreRun, type LoadedVersion } from "./lcore_run.ts";
import { planLcores } from "./plan_lcores.ts";
import type { RegionLink } from "./region_link.ts";
import { Standstill } from "./standstill.ts";
import { Statistics } from "./statistics.ts";
import { FunctionSwap, type Swapped } from "./swap.ts";
import { GUEST_COUNTER, type VirtualPortHandle } from "./virtual_port.ts";

/**
 * Milliseconds after which a swap is given up if a function that starts does not return. Versions
 * that need 2 s for it fail their trial.
 */
const GIVE_UP_MS = 3000;

/** A guest's lcores at work in the place that it has. */
export class Forwarding {
  /** What is counted of its ports. */
  readonly statistics: Statistics;
  readonly #ports: readonly VirtualPortHandle[];
  /** What lcores have left whose successors were about to start when the guest had to stop. */
  #legacy?: readonly LcoreLegacy[];
  readonly #common: Common;
  readonly #standstill: Standstill;
  #version: LoadedVersion;
  #run: LcoreRun;
  #swap?: FunctionSwap;
  #isStopping = false;

  /**
   * Start the lcores.
   *
   * @param before What the lcores take over that the guest had before, in this place or another.
   * @param wake Called when an lcore has ended.
   * @throws {UsageError} if the options do not fit the ports.
   */
  constructor(
    private readonly attachment: Attachment,
    interrupts: Interrupts | undefined,
    private readonly options: GuestOptions,
    version: LoadedVersion,
    before: readonly LcoreLegacy[],
    log: Log,
    private readonly wake: () => void,
  ) {
    const ports = this.#ports = portsOf(attachment);
    const plan = planLcores(options, version.functions.answers, ports);
    const { onError, idle, burst, isChecked } = options;
    const frameMax = Math.min(...attachment.channels.map(({ frameMax }) => frameMax));
    attachment.takePushes(options.takesPushes);
    const { memory: { handle: region }, geometry, lease, isNotified } = attachment;
    const first = ports.filter(({ queue }) => !queue || queue.number === 0);
    const descriptions = first.map(({ number, name, mac }) => ({ number, name, mac }));
    const lanes = {
      onError,
      idle,
      burst,
      frameMax,
      isChecked,
      lcores: plan.length,
      ports: descriptions,
    };
    this.#common = { region, geometry, lease, interrupts, isNotified, ...lanes };
    attachment.tellOffloads(version.functions.offloads);
    this.#run = new LcoreRun(this.#common, plan, version.threads, before, wake);
    this.#standstill = new Standstill(
      (lcore, i) => {
        const isStarting = this.#swap?.phase === "starting";
        const { functions } = isStarting ? this.#swap!.next : this.#version;
        const { name } = functions.handles[i];
        log(
          `function ${name} has not returned for 1 s: lcore ${lcore} stands still until it returns, ` +
            "or culvert is started anew",
          { level: "error" },
        );
      },
      (lcore) => log(`lcore ${lcore} goes on`),
    );
    this.statistics = new Statistics(ports, () => this.#run.counters);
    this.#version = version;
    const cores = plan.map(({ core }) => core).join(", ");
    const names = first.map(({ number, name, queue }) =>
      `${number} ${name}${queue ? ` (${queue.count} queues)` : ""}`
    ).join(", ");
    const doorbell = interrupts && isNotified ? "" : ", no doorbell";
    const chain = version.functions.handles.map(({ name }) => name).join(" | ");
    log(`forwarding (${chain}) on core ${cores}, ports: ${names}${doorbell}`);
    log(describeWays(version.functions, plan.flatMap(({ lanes }) => lanes)));
  }

  /** What was pushed since the last time, if anything. */
  nextPush(): Push | undefined {
    return this.attachment.nextPush();
  }

  /** How many ports the guest has. */
  get ports(): number {
    return this.#common.ports.length;
  }

  /** Whether all lcores have ended, and no other lcores take over. */
  get hasEnded(): boolean {
    return this.#run.hasEnded && this.#swap === undefined;
  }

  /** Why an lcore has ended that was not told to. */
  get failure(): Error | undefined {
    return this.#run.failure;
  }

  /** Whether other lcores are about to take over: {@linkcode step} is to be called soon. */
  get isSwapping(): boolean {
    return this.#swap !== undefined;
  }

  /**
   * Whether `threads` have lcores that are to take over. If their swap was given up, the threads
   * are closed here once these lcores have ended.
   */
  isStarting(threads: LoadedVersion["threads"]): boolean {
    return this.#swap?.phase === "starting" && this.#swap.next.threads === threads;
  }

  /** Whether every function returns. */
  get isMoving(): boolean {
    return this.#standstill.isMoving;
  }

  /**
   * Look after the place, several times a second: if the host is gone or asks us to leave, stop.
   */
  step(link: RegionLink, now: number): void {
    const { attachment } = this;
    link.poll(now);
    attachment.tellPeer(link.peer, link.reconnected);
    const isHostAlive = attachment.beat(now);
    attachment.showCounters(this.#run.counters);
    this.#standstill.look(this.#run.progress, now);
    if (this.#swap !== undefined) this.#follow(this.#swap, now);
    const hasFailed = this.failure !== undefined && !this.isSwapping;
    if (!isHostAlive || link.hostHasLeft || attachment.isAskedToLeave || hasFailed) this.stop();
  }

  /**
   * Let other lcores take over between two bursts; frames wait in rings meanwhile.
   *
   * @returns once they forward; rejects if they cannot be set up, and the present ones go on.
   * @throws {CulvertError} if other lcores are just taking over, or a function does not return.
   */
  swap(version: LoadedVersion, now: number): Promise<Swapped> {
    if (!this.isMoving) throw stuck();
    if (this.#swap) {
      throw new CulvertError("Cannot swap functions as others are just taking over: wait");
    }
    this.#run.stop();
    this.#swap = new FunctionSwap(this.#version, version, now, this.#dropped);
    return this.#swap.done;
  }

  /** What the lcores leave to those of the guest's next place, once all have ended. */
  get legacy(): readonly LcoreLegacy[] {
    return (this.#legacy ?? this.#run.legacy).map((left) => ({ ...left, isOptional: true }));
  }

  /** Tell the lcores to stop. */
  stop(): void {
    this.#isStopping = true;
    this.#run.stop();
  }

  /** Give up what the lcores had. All must have ended. */
  close(): void {
    this.#run.close();
  }

  /** Do what is due while other lcores take over. */
  #follow(swap: FunctionSwap, now: number): void {
    const run = this.#run;
    const { failure } = run;
    if (failure !== undefined) run.stop();
    if (!run.hasEnded) {
      const isBeginning = swap.phase !== "stopping";
      if (isBeginning ? this.#standstill.longest(now) >= GIVE_UP_MS : !this.isMoving) {
        swap.fail(stuck());
        if (swap.phase === "starting") run.stop(); // should it return, it ends, and the old go back
      }
      const takesOver = isBeginning && !this.#isStopping && failure === undefined;
      if (takesOver && !swap.isGivenUp && run.hasBegun) this.#settle(now);
    } else if (!this.#isStopping && swap.phase === "stopping" && failure === undefined) {
      swap.legacy = run.legacy;
      swap.phase = swap.error === undefined ? "starting" : "back";
      this.#start(swap.error === undefined ? swap.next : swap.last, swap);
    } else if (!this.#isStopping && swap.phase === "starting" && (failure ?? swap.error)) {
      swap.error ??= failure;
      swap.phase = "back";
      this.#start(swap.last, swap);
    } else this.#settle(now);
  }

  #start({ threads, functions }: LoadedVersion, { legacy }: FunctionSwap): void {
    this.#run.close();
    this.#standstill.restart();
    const plan = planLcores(this.options, functions.answers, this.#ports);
    this.attachment.tellOffloads(functions.offloads);
    this.#run = new LcoreRun(this.#common, plan, threads, legacy, this.wake);
  }

  #settle(now: number): void {
    const swap = this.#swap!;
    this.#swap = undefined;
    if (swap.settle(now, this.#isStopping, this.#dropped)) this.#version = swap.next;
    else {
      if (swap.phase === "starting") this.#legacy = swap.legacy;
      for (const thread of swap.next.threads) thread.close();
    }
  }

  /** Frames that our ports could not send. */
  get #dropped(): number {
    return this.#ports.reduce((sum, { counters }) => sum + counters[GUEST_COUNTER.DROPPED], 0);
  }
}

/** Why nothing can take over from an lcore that stands still. */
function stuck(): CulvertError {
  return new CulvertError("a function that is at work does not return: start culvert anew");
}

function portsOf({ channels }: Attachment): VirtualPortHandle[] {
  const bytes = GUEST_COUNTER.COUNT * 8;
  const buffer = new SharedArrayBuffer(bytes * channels.length);
  return channels.map(({ portName: name, mac, place, port: number, queue, queues }, i) => {
    const counters = new Float64Array(buffer, i * bytes, GUEST_COUNTER.COUNT);
    const which = queues > 1 ? { queue: { number: queue, count: queues } } : {};
    return { number, ...which, name, mac, place, counters };
  });
}
