import { HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import { COUNTER, countFrames } from "./counters.ts";
import type { PortResources } from "./port_resources.ts";
import type { HostPort } from "./port.ts";

/**
 * A port on nothing (DPDK `net_null`): as many frames as one asks for, of whatever bytes the mbufs
 * hold, and room for all that is sent.
 */
export class NullPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly hasFrames: boolean;
  readonly #resources: PortResources;
  readonly #word1: number;

  /**
   * Nothing is opened, and no byte of a frame is ever written: a frame is what its mbuf held
   * before.
   *
   * @param frameBytes Length of the frames that it makes; 0 for none.
   */
  constructor(readonly name: string, frameBytes: number, resources: PortResources) {
    this.#resources = resources;
    this.hasFrames = frameBytes > 0;
    this.#word1 = frameBytes === 0 ? 0 : dataWord(HEADROOM_BYTES, frameBytes);
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    if (this.#word1 === 0) return 0;
    const n = this.#resources.mempool.allocBurst(burst, max, at);
    const words = burst.words;
    for (let i = (at << 1) + 1, end = (at + n) << 1; i < end; i += 2) words[i] = this.#word1;
    this.#resources.counters[COUNTER.RX] += n;
    this.#resources.counters[COUNTER.RX_BYTES] += n * (this.#word1 >>> 16);
    return n;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    this.#resources.mempool.free(burst, count, at);
    countFrames(this.#resources.counters, COUNTER.TX, burst, count, at);
    return count;
  }

  refresh(): void {}
  close(): void {}
}
