/**
 * One end of the ring benchmark: enqueues or dequeues numbered descriptors, pinned to its core.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { MappedMemory, type MappedMemoryHandle } from "../ffi/mapped_memory.ts";
import { shim } from "../ffi/shim.ts";
import { SpscRing } from "../app/ring/spsc_ring.ts";

/** What a worker is sent. */
export interface RingOrder {
  readonly memory: MappedMemoryHandle;
  readonly size: number;
  readonly core: number;
  readonly role: "producer" | "consumer";
  readonly burst: number;
  readonly elements: number;
}

/** Word 1 of each element; word 0 is its number. The peer's elements are 64-bit numbers. */
const MARK = 0x05ea0080;

let first = 0;

function produce(ring: SpscRing, burst: number, elements: number): void {
  const descriptors = new Uint32Array(2 * burst).fill(MARK);
  for (let next = first, end = first + elements; next < end;) {
    for (let i = 0; i < burst; i++) descriptors[i << 1] = next + i;
    let sent = ring.enqueueBulk(descriptors, burst);
    while (sent === 0) {
      shim.shim_pause(1);
      sent = ring.enqueueBulk(descriptors, burst);
    }
    next += burst;
  }
}

function consume(ring: SpscRing, burst: number, elements: number): void {
  const descriptors = new Uint32Array(2 * burst);
  for (let next = first, end = first + elements; next < end;) {
    const n = ring.dequeueBurst(descriptors, burst);
    if (n === 0) shim.shim_pause(1);
    for (let i = 0; i < n; i++, next++) {
      if (descriptors[i << 1] !== next >>> 0 || descriptors[(i << 1) + 1] !== MARK) {
        throw new Error(`element ${next} came as ${descriptors[i << 1]}`);
      }
    }
  }
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<RingOrder>) => void;
  postMessage(nanoseconds: number): void;
};

scope.onmessage = ({ data: { memory, size, core, role, burst, elements } }) => {
  check(shim.shim_thread_pin(core), `pin to core ${core}`);
  const ring = new SpscRing(new MappedMemory(memory), 0, size);
  const start = shim.shim_clock();
  if (role === "producer") produce(ring, burst, elements);
  else consume(ring, burst, elements);
  first += elements;
  scope.postMessage(shim.shim_clock() - start);
};
