import { Burst } from "../ring/burst.ts";
import type { RxEnd, TxEnd } from "./virtual_port.ts";

/**
 * Frames on their way out of one port, kept until there is a burst of them or the drain time is up
 * (DPDK `rte_eth_tx_buffer`). What the port does not take is freed and counted.
 */
export class TxBuffer {
  readonly #burst: Burst;
  #count = 0;

  /**
   * Empty at first.
   *
   * @param to Where the frames are sent.
   * @param from Where they were received, by this lcore: mbufs are freed there.
   * @param burst Frames that are sent together.
   */
  constructor(
    private readonly to: TxEnd,
    private readonly from: RxEnd,
    readonly burst: number,
  ) {
    this.#burst = Burst.of(2 * burst); // less than one waits, and less than one is added
  }

  /** The number of the port that sends. */
  get number(): number {
    return this.to.number;
  }

  /** Whether nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Add frames `at` to `at + count - 1` of a burst, and send as soon as there is a full burst. */
  add(burst: Burst, count: number, at = 0): void {
    if (count === 0) return;
    if (count >= this.burst) {
      this.flush();
      this.#send(burst, count, at);
      return;
    }
    const [to, from] = [this.#burst.words, burst.words];
    let next = this.#count << 1;
    for (let i = at << 1, end = (at + count) << 1; i < end; i++) to[next++] = from[i];
    this.#count += count;
    if (this.#count >= this.burst) this.flush();
  }

  /** Send what there is. */
  flush(): void {
    if (this.#count === 0) return;
    this.#send(this.#burst, this.#count, 0);
    this.#count = 0;
  }

  #send(burst: Burst, count: number, at: number): void {
    const sent = this.to.txBurst(burst, count, at);
    if (sent === count) return;
    this.to.countDropped(count - sent);
    this.from.free(burst, count - sent, at + sent);
  }
}
