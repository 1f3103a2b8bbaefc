import { shim } from "../ffi/shim.ts";
import type { HostPort } from "../app/port/port.ts";
import type { PortResources } from "../app/port/port_resources.ts";
import type { Burst } from "../app/ring/burst.ts";
import { FlowPort } from "./flow_port.ts";

/** What its lcore's log has in the place of times, now and then until these are there. */
export const ONE_FRAME_GOES_ON = "goes-on";

/**
 * A {@linkcode FlowPort} with one frame in flight: it times so many round trips, after a tenth of
 * it that is not counted. A time begins when the frame is written and ends when it is handed back.
 */
export class OneFramePort implements HostPort {
  readonly name = "one frame";
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #flow: FlowPort;
  readonly #times: Float64Array;
  readonly #tell: (nanoseconds?: Float64Array) => void;
  /** After so many frames something is told: it may take long. */
  readonly #tenth: number;
  #sentAt = 0;
  #back: number;

  /** @param tell Called now and then; in the end given the times in ascending order. */
  constructor(
    frameBytes: number,
    frames: number,
    resources: PortResources,
    tell: (nanoseconds?: Float64Array) => void,
  ) {
    this.#flow = new FlowPort(frameBytes, resources, 1);
    this.#times = new Float64Array(frames);
    this.#tenth = Math.floor(frames / 10);
    this.#back = -this.#tenth;
    this.#tell = tell;
  }

  rxBurst(burst: Burst, _max: number, at = 0): number {
    const n = this.#flow.rxBurst(burst, 1, at);
    if (n > 0) this.#sentAt = shim.shim_clock();
    return n;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    const took = shim.shim_clock() - this.#sentAt;
    if (this.#back >= 0 && this.#back < this.#times.length) this.#times[this.#back] = took;
    if (++this.#back === this.#times.length) this.#tell(this.#times.sort());
    else if (this.#back < this.#times.length && this.#back % this.#tenth === 0) this.#tell();
    return this.#flow.txBurst(burst, count, at);
  }

  refresh(): void {}
  close(): void {}
}
