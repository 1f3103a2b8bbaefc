import { DESCRIPTOR, HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord } from "../mempool/mbuf.ts";
import { COUNTER } from "./counters.ts";
import type { PortResources } from "./kernel_port.ts";
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
   * Nothing is opened, and no frame is ever written: they are what the mbufs held before.
   *
   * @param frameBytes Length of the frames that it makes; 0 for none.
   */
  constructor(readonly name: string, frameBytes: number, resources: PortResources) {
    this.#resources = resources;
    this.hasFrames = frameBytes > 0;
    this.#word1 = frameBytes === 0 ? 0 : dataWord(HEADROOM_BYTES, frameBytes);
  }

  rxBurst(burst: Uint32Array, max: number): number {
    if (this.#word1 === 0) return 0;
    const n = this.#resources.mempool.allocBurst(burst, max);
    for (let i = 0; i < n; i++) burst[(i << 1) + 1] = this.#word1;
    this.#resources.counters[COUNTER.RX] += n;
    this.#resources.counters[COUNTER.RX_BYTES] += n * (this.#word1 >>> 16);
    return n;
  }

  txBurst(burst: Uint32Array, count: number): number {
    this.#resources.mempool.free(burst, count);
    this.#resources.counters[COUNTER.TX] += count;
    for (let i = 0, end = count * DESCRIPTOR.WORDS; i < end; i += DESCRIPTOR.WORDS) {
      this.#resources.counters[COUNTER.TX_BYTES] += burst[i + 1] >>> 16;
    }
    return count;
  }

  discardBurst(_max: number): void {}
  refresh(): void {}
  close(): void {}
}
