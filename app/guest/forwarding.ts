import { COMMAND, CommandWord } from "../lcore/command.ts";
import type { Lcore, LcoreThread } from "../lcore/lcore.ts";
import type { Attachment } from "./attachment.ts";
import { COUNTERS_BYTES } from "./function/counters.ts";
import { describeWays } from "./describe_ways.ts";
import type { Functions } from "./function/load.ts";
import type { GuestLcoreHandle } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";
import type { Interrupts } from "./interrupts.ts";
import { planLcores } from "./plan_lcores.ts";
import type { RegionLink } from "./region_link.ts";
import { Statistics } from "./statistics.ts";
import { GUEST_COUNTER, type VirtualPortHandle } from "./virtual_port.ts";

/** A guest's lcores at work in the place that it has. */
export class Forwarding {
  /** What is counted of its ports. */
  readonly statistics: Statistics;
  readonly #command = CommandWord.create();
  readonly #lcores: readonly Lcore[];
  /** What the functions count, of each lcore. */
  readonly #counters: readonly SharedArrayBuffer[];

  /**
   * Start the lcores.
   *
   * @param threads One for each core of the options; what is left over stays idle.
   * @param wake Called when an lcore has ended.
   * @throws {UsageError} if the options do not fit the ports.
   */
  constructor(
    private readonly attachment: Attachment,
    interrupts: Interrupts | undefined,
    options: GuestOptions,
    functions: Functions,
    threads: readonly LcoreThread<GuestLcoreHandle>[],
    log: (line: string) => void,
    wake: () => void,
  ) {
    const ports = portsOf(attachment);
    const plan = planLcores(options, functions.answers, ports);
    const { onError, idle, burst } = options;
    const { memory, geometry, lease, isNotified } = attachment;
    const region = memory.handle;
    const lcores = plan.length;
    const descriptions = ports.map(({ number, name, mac }) => ({ number, name, mac }));
    const all = { region, geometry, lease, interrupts, isNotified, onError, idle, burst, lcores };
    this.#counters = plan.map(() => new SharedArrayBuffer(COUNTERS_BYTES));
    this.#lcores = plan.map(({ lanes }, lcore) =>
      threads[lcore].run(
        this.#command,
        { ...all, ports: descriptions, counters: this.#counters[lcore], lcore, lanes },
        true,
      )
    );
    for (const { done } of this.#lcores) done.then(wake, wake);
    this.statistics = new Statistics(ports, this.#counters);
    const cores = plan.map(({ core }) => core).join(", ");
    const names = ports.map(({ number, name }) => `${number} ${name}`).join(", ");
    const doorbell = interrupts && isNotified ? "" : ", no doorbell";
    const chain = functions.handles.map(({ name }) => name).join(" | ");
    log(`forwarding (${chain}) on core ${cores}, ports: ${names}${doorbell}`);
    log(describeWays(functions, plan.flatMap(({ lanes }) => lanes)));
  }

  /** Whether all lcores have ended. */
  get hasEnded(): boolean {
    return this.#lcores.every(({ isDone }) => isDone);
  }

  /** What made an lcore end that was not told to. */
  get failure(): Error | undefined {
    return this.#lcores.find(({ failure }) => failure !== undefined)?.failure;
  }

  /** Look after the place, some times a second: if the host is gone or asks us to leave, stop. */
  step(link: RegionLink, now: number): void {
    const { attachment } = this;
    link.poll(now);
    attachment.tellPeer(link.peer, link.reconnected);
    const isHostAlive = attachment.beat(now);
    if (!isHostAlive || link.hostHasLeft || attachment.isAskedToLeave || this.failure) this.stop();
  }

  /** Tell the lcores to stop. */
  stop(): void {
    this.#command.value = COMMAND.STOP;
  }

  /** Give up what the lcores had. All must have ended. */
  close(): void {
    this.#command.close();
  }
}

function portsOf({ channels }: Attachment): VirtualPortHandle[] {
  const bytes = GUEST_COUNTER.COUNT * 8;
  const buffer = new SharedArrayBuffer(bytes * channels.length);
  return channels.map(({ portName: name, mac, place }, number) => {
    const counters = new Float64Array(buffer, number * bytes, GUEST_COUNTER.COUNT);
    return { number, name, mac, place, counters };
  });
}
