import { Burst, BURST_DEFAULT } from "../ring/burst.ts";
import type { VirtualPort } from "./virtual_port.ts";

/**
 * Frames on their way out of one port, kept until there is a burst of them or the drain time is up
 * (DPDK `rte_eth_tx_buffer`). What the port does not take is freed and counted.
 */
export class TxBuffer {
  readonly #burst: Burst;
  #count = 0;

  /**
   * Empty at first. A port that answers, or is paired with itself, is both `to` and `from`.
   *
   * @param to The port that sends.
   * @param from The port whose lcore this is: mbufs are freed through its channel.
   * @param burst Frames that are sent together.
   */
  constructor(
    readonly to: VirtualPort,
    private readonly from: VirtualPort,
    readonly burst = BURST_DEFAULT,
  ) {
    this.#burst = Burst.of(2 * burst);
  }

  /** Whether nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Add up to {@linkcode burst} frames, and send as soon as there are so many. */
  add(burst: Burst, count: number): void {
    if (this.#count === 0 && count >= this.burst) {
      this.#send(burst, count);
      return;
    }
    const [to, from] = [this.#burst.words, burst.words];
    let at = this.#count << 1;
    for (let i = 0, end = count << 1; i < end; i++) to[at++] = from[i];
    this.#count += count;
    if (this.#count >= this.burst) this.flush();
  }

  /** Send what there is. */
  flush(): void {
    if (this.#count === 0) return;
    this.#send(this.#burst, this.#count);
    this.#count = 0;
  }

  #send(burst: Burst, count: number): void {
    const sent = this.to.txBurst(burst, count);
    if (sent === count) return;
    this.to.countDropped(count - sent);
    this.from.free(burst, count - sent, sent);
  }
}
