import { COMMAND, CommandWord } from "../lcore/command.ts";
import type { Lcore, LcoreThread } from "../lcore/lcore.ts";
import type { Attachment } from "./attachment.ts";
import type { GuestLcoreHandle } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";
import type { Interrupts } from "./interrupts.ts";
import { describeWays } from "./describe_ways.ts";
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
    threads: readonly LcoreThread<GuestLcoreHandle>[],
    log: (line: string) => void,
    wake: () => void,
  ) {
    const ports = portsOf(attachment);
    const plan = planLcores(options, ports);
    const { mode, macUpdating, txBytes, idle, burst } = options;
    const { memory, geometry, lease, isNotified } = attachment;
    const region = memory.handle;
    const all = { region, geometry, lease, interrupts, isNotified };
    this.#lcores = plan.map(({ lanes }, lcore) =>
      threads[lcore].run(
        this.#command,
        { ...all, mode, macUpdating, txBytes, idle, burst, lcore, lanes },
        true,
      )
    );
    for (const { done } of this.#lcores) done.then(wake, wake);
    this.statistics = new Statistics(ports);
    const cores = plan.map(({ core }) => core).join(", ");
    const names = ports.map(({ number, name }) => `${number} ${name}`).join(", ");
    const doorbell = interrupts && isNotified ? "" : ", no doorbell";
    log(`forwarding (${mode}) on core ${cores}, ports: ${names}${doorbell}`);
    log(describeWays(options, plan.flatMap(({ lanes }) => lanes)));
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
