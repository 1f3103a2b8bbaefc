import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { SpscRing } from "../ring/spsc_ring.ts";
import { COUNTER } from "./counters.ts";
import type { PortResources } from "./kernel_port.ts";
import type { HostPort } from "./port.ts";

/** A port that receives what is sent to it (DPDK `net_ring`): a loop for tests and demos. */
export class RingPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #resources: PortResources;
  readonly #ring: SpscRing;

  /**
   * The ring is this process's own; frames in it are descriptors, their mbufs stay where they are.
   *
   * @param size Frames that fit, a power of two.
   */
  constructor(readonly name: string, size: number, resources: PortResources) {
    this.#resources = resources;
    this.#ring = new SpscRing(MappedMemory.ofProcess(SpscRing.bytes(size)), 0, size);
  }

  rxBurst(burst: Uint32Array, max: number): number {
    const n = this.#ring.dequeueBurst(burst, max);
    this.#count(COUNTER.RX, burst, n);
    return n;
  }

  txBurst(burst: Uint32Array, count: number): number {
    const n = this.#ring.enqueueBurst(burst, count);
    this.#count(COUNTER.TX, burst, n);
    return n;
  }

  discardBurst(_max: number): void {}
  refresh(): void {}

  letGo(): void {
    const burst = new Uint32Array(2 * 32);
    for (let n; (n = this.#ring.dequeueBurst(burst, 32)) > 0;) {
      this.#resources.mempool.free(burst, n);
    }
  }

  close(): void {
    this.letGo();
  }

  /** Bytes are counted behind frames: RX_BYTES follows RX, TX_BYTES follows TX. */
  #count(counter: number, burst: Uint32Array, n: number): void {
    const { counters } = this.#resources;
    counters[counter] += n;
    for (let i = 0; i < n; i++) counters[counter + 1] += burst[(i << 1) + 1] >>> 16;
  }
}
