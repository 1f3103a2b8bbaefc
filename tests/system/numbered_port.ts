import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { LINE } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/kernel_port.ts";
import type { HostPort } from "../../app/port/port.ts";
import {
  type Addresses,
  faultsOf,
  FOUND,
  FrameChecker,
  NumberedFrames,
} from "./numbered_frames.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** What a run of numbered frames between the ports 0 and 1 is to be. */
export interface NumberedOrder {
  /** Frames each way. */
  readonly frames: number;
  /** Frames under way in one direction, at most: fewer than any ring has slots. */
  readonly window: number;
  readonly addresses: Addresses;
  readonly seed: number;
}

/** Words of the memory that main thread and lcores share: whether to send; a line for each port. */
const START = 0;
const portLine = (port: number) => (1 + port) * LINE;
/** Behind a port's findings: bytes of the frames that it has sent, low and high word. */
const BYTES_LOW = FOUND.COUNT, BYTES_HIGH = FOUND.COUNT + 1;
const MEMORY_BYTES = 4096;

/** One run, as the main thread sees it. The lcores' module URL carries all that its ports need. */
export class NumberedRun {
  readonly #fd: number;
  readonly #memory: MappedMemory;
  readonly lcoreUrl: URL;

  constructor(readonly order: NumberedOrder) {
    this.#fd = sealedMemfd("numbered-frames", MEMORY_BYTES);
    this.#memory = MappedMemory.ofFile(this.#fd, MEMORY_BYTES, "counters of numbered frames");
    this.lcoreUrl = new URL("./numbered_host_worker.ts", import.meta.url);
    this.lcoreUrl.search = String(
      new URLSearchParams({ fd: String(this.#fd), order: JSON.stringify(order) }),
    );
  }

  /** Let the ports send. Before, they make no frames. */
  start(): void {
    this.#memory.store(START, 1);
  }

  /** Frames that have come back to both ports and been checked, or found missing. */
  get checked(): number {
    return this.#memory.load(portLine(0)) + this.#memory.load(portLine(1));
  }

  /** What is wrong with the frames that came back to `port`, in words; empty if nothing is. */
  faultsAt(port: number): string {
    this.#memory.load(portLine(port));
    return faultsOf(this.findingsAt(port));
  }

  /** Bytes of all frames that `port` has made. */
  bytesSentBy(port: number): number {
    const { u32 } = this.#memory;
    return u32[portLine(port) + BYTES_LOW] + u32[portLine(port) + BYTES_HIGH] * 2 ** 32;
  }

  /** By {@linkcode FOUND}. */
  findingsAt(port: number): Uint32Array {
    return this.#memory.u32.subarray(portLine(port), portLine(port) + FOUND.COUNT);
  }

  close(): void {
    shim.shim_fd_close(this.#fd);
  }
}

/**
 * A host's port that makes numbered frames and checks those of the other port that come back to it:
 * port 0's through the guest to port 1, and the other way.
 */
export class NumberedPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #resources: PortResources;
  readonly #order: NumberedOrder;
  readonly #memory: MappedMemory;
  readonly #own: NumberedFrames;
  readonly #checker: FrameChecker;
  readonly #line: number;
  readonly #otherLine: number;
  #sent = 0;
  #next = 0;

  constructor(
    readonly name: string,
    port: number,
    order: NumberedOrder,
    memory: MappedMemory,
    resources: PortResources,
  ) {
    this.#resources = resources;
    this.#order = order;
    this.#memory = memory;
    this.#line = portLine(port);
    this.#otherLine = portLine(1 - port);
    this.#own = new NumberedFrames(order.seed + port);
    this.#checker = new FrameChecker(
      new NumberedFrames(order.seed + 1 - port),
      resources.mbufs,
      order.addresses,
      memory.u32.subarray(this.#line, this.#line + FOUND.COUNT),
    );
  }

  rxBurst(burst: Burst, max: number): number {
    const { frames, window } = this.#order;
    const left = frames - this.#sent;
    const wanted = left < max ? left : max;
    if (wanted === 0 || this.#memory.load(START) === 0) return 0;
    const underWay = (this.#sent - this.#memory.load(this.#otherLine)) | 0;
    if (underWay + wanted > window) return 0;
    const n = this.#resources.mempool.allocBurst(burst, wanted);
    const { mbufs, counters } = this.#resources;
    for (let i = 0; i < n; i++) {
      this.#own.write(mbufs, burst, i, this.#sent++);
      counters[COUNTER.RX_BYTES] += burst.words[(i << 1) + 1] >>> 16;
    }
    counters[COUNTER.RX] += n;
    this.#memory.u32[this.#line + BYTES_LOW] = counters[COUNTER.RX_BYTES];
    this.#memory.u32[this.#line + BYTES_HIGH] = counters[COUNTER.RX_BYTES] / 2 ** 32;
    return n;
  }

  txBurst(burst: Burst, count: number): number {
    const { mempool, counters } = this.#resources;
    this.#next = this.#checker.check(burst, count, this.#next);
    this.#memory.store(this.#line, this.#next);
    mempool.free(burst, count);
    counters[COUNTER.TX] += count;
    for (let i = 0; i < count; i++) counters[COUNTER.TX_BYTES] += burst.words[(i << 1) + 1] >>> 16;
    return count;
  }

  refresh(): void {}
  close(): void {}
}

/** What a worker makes its ports with, from the URL that {@linkcode NumberedRun} gave it. */
export function readRun(url: URL): { order: NumberedOrder; memory: MappedMemory } {
  const fd = Number(url.searchParams.get("fd"));
  const order: NumberedOrder = JSON.parse(url.searchParams.get("order")!);
  return { order, memory: MappedMemory.ofFile(fd, MEMORY_BYTES, "counters of numbered frames") };
}
