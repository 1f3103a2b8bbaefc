import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Burst, BURST_DEFAULT } from "../ring/burst.ts";
import { SpscRing } from "../ring/spsc_ring.ts";
import { COUNTER, countFrames } from "./counters.ts";
import type { PortResources } from "./port_resources.ts";
import type { HostPort } from "./port.ts";

/** A port that receives what is sent to it (DPDK `net_ring`): a loop for tests and demos. */
export class RingPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #resources: PortResources;
  readonly #memory: MappedMemory;
  readonly #ring: SpscRing;
  /** What {@linkcode letGo} takes out at a time. */
  readonly #left = Burst.of(BURST_DEFAULT);

  /**
   * The ring is this process's own; frames in it are descriptors, their mbufs stay where they are.
   *
   * @param size Frames that fit, a power of two.
   */
  constructor(readonly name: string, size: number, resources: PortResources) {
    this.#resources = resources;
    this.#memory = MappedMemory.ofProcess(SpscRing.bytes(size));
    this.#ring = new SpscRing(this.#memory, 0, size);
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    const n = this.#ring.dequeueBurst(burst, max, at);
    countFrames(this.#resources.counters, COUNTER.RX, burst, n, at);
    return n;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    const n = this.#ring.enqueueBurst(burst, count, at);
    countFrames(this.#resources.counters, COUNTER.TX, burst, n, at);
    return n;
  }

  refresh(): void {}

  letGo(): void {
    const burst = this.#left;
    for (let n; (n = this.#ring.dequeueBurst(burst, burst.capacity)) > 0;) {
      this.#resources.mempool.free(burst, n);
    }
  }

  close(): void {
    this.letGo();
    this.#memory.close();
  }
}
