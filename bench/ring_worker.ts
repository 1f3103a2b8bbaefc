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

/**
 * As the peer, bench/peers/rte_ring_loops.h: the first element of each bulk carries its number, the
 * others a mark; the consumer checks the first and the last. What is timed is the ring, not the loops
 * around it.
 */
const MARK = 0x05ea0080;

/** The number of the next bulk, modulo 2^32: as an int32, which V8 keeps in a register. */
let next = 0;

function produce(ring: SpscRing, bulk: number, elements: number): void {
  const descriptors = new Uint32Array(2 * bulk).fill(MARK);
  for (let left = elements; left > 0; left -= bulk) {
    descriptors[0] = next;
    while (ring.enqueueBulk(descriptors, bulk) === 0) shim.shim_pause(1);
    next = (next + 1) | 0;
  }
}

function consume(ring: SpscRing, bulk: number, elements: number): void {
  const descriptors = new Uint32Array(2 * bulk);
  for (let left = elements; left > 0;) {
    if (ring.dequeueBulk(descriptors, bulk) === 0) {
      shim.shim_pause(1);
      continue;
    }
    if (descriptors[0] !== next >>> 0 || descriptors[2 * bulk - 1] !== MARK) {
      throw new Error(`bulk ${next >>> 0} did not come as it was sent`);
    }
    next = (next + 1) | 0;
    left -= bulk;
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
  scope.postMessage(shim.shim_clock() - start);
};
