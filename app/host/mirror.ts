import { COUNTER, type Counters, droppedBy, newCounters } from "../port/counters.ts";
import { NO_MBUFS } from "../mempool/mbuf_source.ts";
import type { PortResources } from "../port/port_resources.ts";
import type { PortSetup } from "../port/open_port.ts";
import type { HostPort } from "../port/port.ts";
import type { Burst } from "../ring/burst.ts";

/**
 * Copies of a port's frames, sent by another port: what a mirror port of a switch is. The kernel
 * copies each frame as it takes it; what it does not take at once is lost and counted.
 */
export class Mirror {
  readonly #port: HostPort;
  readonly #own: Counters = newCounters(1)[0];
  #lost = 0;

  /**
   * Take over what `setup` has open.
   *
   * @param makePort Makes the port that sends.
   * @param counters The counters of the port whose frames are copied.
   */
  constructor(
    setup: PortSetup,
    resources: PortResources,
    makePort: (setup: PortSetup, resources: PortResources) => HostPort,
    private readonly counters: Counters,
  ) {
    const { mbufs, frameMax } = resources;
    this.#port = makePort(setup, { mbufs, frameMax, mempool: NO_MBUFS, counters: this.#own });
  }

  /** Send copies of the first `count` frames. The frames stay the caller's. */
  send(burst: Burst, count: number): void {
    this.#lost += count - this.#port.txBurst(burst, count);
  }

  /**
   * Several times a second: look whether the interface is up again, and add up what was counted.
   */
  refresh(): void {
    this.#port.refresh();
    this.counters[COUNTER.MIRRORED] = this.#own[COUNTER.TX];
    this.counters[COUNTER.MIRROR_LOST] = this.#lost + droppedBy(this.#own);
  }

  /** Add up what was counted last, and close the port. */
  close(): void {
    this.refresh();
    this.#port.close();
  }
}
