import { equal } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cellsIn, Mbufs } from "../../app/mempool/mbuf.ts";
import { newLongFreeRing } from "../../app/mempool/free_ring.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { type Counters, newCounters } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/port_resources.ts";
import { Burst } from "../../app/ring/burst.ts";

const STRIDE = 2368;

/** What a port of the host works with, in memory of this process: `using lab = new PortLab(64)`. */
export class PortLab implements PortResources, Disposable {
  readonly mbufs: Mbufs;
  readonly mempool: Mempool;
  readonly counters: Counters = newCounters(1)[0];
  readonly frameMax = 1522;
  readonly #memory: MappedMemory;

  /** @param long Long mbufs behind the others. */
  constructor(readonly total: number, long = 0) {
    const geometry = { offset: 0, stride: STRIDE, count: total, long };
    this.#memory = MappedMemory.ofProcess(cellsIn(geometry) * STRIDE);
    this.mbufs = new Mbufs(this.#memory, geometry);
    this.mempool = Mempool.create(total, 0, newLongFreeRing(geometry));
  }

  /** Check that each mbuf is free, once. */
  checkAllFree(): void {
    const burst = Burst.of(this.total + 1);
    equal(this.mempool.allocBurst(burst, this.total + 1), this.total);
    const indexes = new Set(burst.words.filter((_, i) => i % 2 === 0 && i < 2 * this.total));
    equal(indexes.size, this.total);
    this.mempool.free(burst, this.total);
    const { long } = this.mempool;
    if (long) equal(long.available, long.handle.total, "long mbufs");
  }

  [Symbol.dispose](): void {
    const { memory, long } = this.mempool.handle;
    new MappedMemory(memory).close();
    if (long) new MappedMemory(long.memory).close();
    this.#memory.close();
  }
}
