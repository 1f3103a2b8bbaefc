import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { LINE } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/port_resources.ts";
import type { HostPort } from "../../app/port/port.ts";
import type { Burst } from "../../app/ring/burst.ts";
import { FlowChecker, WRONGS, wrongsText } from "./flow_checker.ts";
import { type Addresses, FlowFrames, type FrameTag } from "./flow_frame.ts";

/** The frames that two checked ports, 0 and 1, exchange. */
export interface CheckedOrder {
  /** Frames each way. */
  readonly frames: number;
  /** Most frames under way in one direction: fewer than any ring has slots. */
  readonly window: number;
  readonly addresses: Addresses;
  readonly seed: number;
}

/**
 * Words of the memory that the main thread and the lcores share. START tells the ports to send.
 * Each port has lines of its own for what it has found, written once a burst.
 */
const START = 0;
const portLine = (port: number) => (1 + 2 * port) * LINE;
const FOUND = { ACCOUNTED: 0, FOREIGN: 1, MISSING: 2, BYTES_LOW: 3, BYTES_HIGH: 4, WRONGS: 5 };
const MEMORY_BYTES = 4096;

/** One exchange, as the main thread sees it. */
export class CheckedExchange {
  readonly #fd: number;
  readonly #memory: MappedMemory;

  constructor(readonly order: CheckedOrder) {
    this.#fd = sealedMemfd("checked-ports", MEMORY_BYTES);
    this.#memory = MappedMemory.ofFile(this.#fd, MEMORY_BYTES, "findings of checked ports");
  }

  /** The search of the lcores' module URL, from which {@linkcode readExchange} makes the ports. */
  get search(): URLSearchParams {
    return new URLSearchParams({ fd: `${this.#fd}`, order: JSON.stringify(this.order) });
  }

  /** Let the ports send. Before, they make no frames. */
  start(): void {
    this.#memory.store(START, 1);
  }

  /** Frames that have come back to both ports and were checked, or found missing. */
  get checked(): number {
    return this.#memory.load(portLine(0)) + this.#memory.load(portLine(1));
  }

  /** What is wrong with the frames that came back to `port`, in words; empty if nothing is. */
  faultsAt(port: number): string {
    this.#memory.load(portLine(port));
    const found = (what: number) => this.#memory.u32[portLine(port) + what];
    const wrongs = WRONGS.map((kind, i) => [kind, found(FOUND.WRONGS + i)]);
    const others = { missing: found(FOUND.MISSING), foreign: found(FOUND.FOREIGN) };
    return wrongsText({ ...Object.fromEntries(wrongs), ...others });
  }

  /** Bytes of all frames that `port` has made. */
  bytesSentBy(port: number): number {
    const { u32 } = this.#memory;
    return u32[portLine(port) + FOUND.BYTES_LOW] + u32[portLine(port) + FOUND.BYTES_HIGH] * 2 ** 32;
  }

  close(): void {
    this.#memory.close();
    shim.shim_fd_close(this.#fd);
  }
}

/**
 * A host's port that makes the frames of one flow, and checks those of the other port's flow: what
 * port 0 makes goes through guests to port 1, and the other way.
 */
export class CheckedPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #frames: FlowFrames;
  readonly #checker: FlowChecker;
  readonly #tag: FrameTag;
  readonly #line: number;
  readonly #otherLine: number;
  #arrived = 0;

  constructor(
    readonly name: string,
    port: number,
    private readonly order: CheckedOrder,
    private readonly memory: MappedMemory,
    private readonly resources: PortResources,
  ) {
    this.#line = portLine(port);
    this.#otherLine = portLine(1 - port);
    this.#frames = new FlowFrames(order.seed);
    this.#tag = { flow: port, number: 0, stamp: 0 };
    this.#checker = new FlowChecker(this.#frames, 1 - port, order.addresses);
  }

  rxBurst(burst: Burst, max: number): number {
    const { order: { frames, window }, resources: { mempool, mbufs, counters }, memory } = this;
    const tag = this.#tag;
    const left = frames - tag.number;
    const wanted = left < max ? left : max;
    if (wanted === 0 || memory.load(START) === 0) return 0;
    if (tag.number - memory.load(this.#otherLine) + wanted > window) return 0;
    const n = mempool.allocBurst(burst, wanted);
    for (let i = 0; i < n; i++) {
      this.#frames.write(mbufs, burst, i, tag);
      tag.number++;
      counters[COUNTER.RX_BYTES] += burst.words[(i << 1) + 1] >>> 16;
    }
    counters[COUNTER.RX] += n;
    memory.u32[this.#line + FOUND.BYTES_LOW] = counters[COUNTER.RX_BYTES];
    memory.u32[this.#line + FOUND.BYTES_HIGH] = counters[COUNTER.RX_BYTES] / 2 ** 32;
    return n;
  }

  txBurst(burst: Burst, count: number): number {
    const { mempool, mbufs, counters } = this.resources;
    for (let i = 0; i < count; i++) {
      const word1 = burst.words[(i << 1) + 1];
      this.#checker.check(mbufs, mbufs.frameByte(burst.words[i << 1], word1), word1 >>> 16);
      counters[COUNTER.TX_BYTES] += word1 >>> 16;
    }
    this.#arrived += count;
    this.#publish();
    mempool.free(burst, count);
    counters[COUNTER.TX] += count;
    return count;
  }

  #publish(): void {
    const { u32 } = this.memory, line = this.#line;
    const { wrongs, foreign, missing } = this.#checker;
    u32[line + FOUND.FOREIGN] = foreign;
    u32[line + FOUND.MISSING] = missing;
    for (let i = 0; i < WRONGS.length; i++) u32[line + FOUND.WRONGS + i] = wrongs[WRONGS[i]];
    this.memory.store(line + FOUND.ACCOUNTED, this.#arrived - wrongs.duplicated + missing);
  }

  refresh(): void {}
  close(): void {}
}

/** What an lcore makes its ports with, from the search of {@linkcode CheckedExchange}. */
export function readExchange(
  { searchParams }: URL,
): { order: CheckedOrder; memory: MappedMemory } {
  const fd = Number(searchParams.get("fd"));
  const order: CheckedOrder = JSON.parse(searchParams.get("order")!);
  return { order, memory: MappedMemory.ofFile(fd, MEMORY_BYTES, "findings of checked ports") };
}
