import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MpmcRing, type Sharing } from "../../app/ring/mpmc_ring.ts";
import { Random } from "../ffi/random.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** What each Worker is to do. */
export interface MpmcOrder {
  readonly role: "producer" | "consumer";
  /** Number of the producer, from 0. */
  readonly id: number;
  readonly workers: number;
  readonly producerCount: number;
  readonly mode: { producers: Sharing; consumers: Sharing };
  readonly memory: MappedMemoryHandle;
  readonly size: number;
  readonly milliseconds: number;
  /** Word 0 the start line, 1 how many producers are done, 2 sent, 3 received. */
  readonly shared: StartLine;
  /** An element is a producer's number, and so many bits that count its elements. */
  readonly sequenceBits: number;
  /** How often each element was received. */
  readonly seen: Uint8Array<SharedArrayBuffer>;
}

/** What it saw. */
export interface MpmcAnswer {
  readonly moved: number;
  /** Elements of one producer that came after a later one of the same. */
  readonly reordered: number;
}

const BURST_MAX = 48;

serveOrder((order: MpmcOrder): MpmcAnswer => {
  const ring = new MpmcRing(new MappedMemory(order.memory), 0, order.size, order.mode);
  const random = new Random(order.id + (order.role === "producer" ? 4711 : 815));
  meetAt(order.shared, order.workers);
  const end = shim.shim_clock() + order.milliseconds * 1e6;
  return (order.role === "producer" ? produce : consume)(order, ring, random, end);
});

function produce(
  { id, shared, sequenceBits }: MpmcOrder,
  ring: MpmcRing,
  random: Random,
  end: number,
): MpmcAnswer {
  const elements = new Uint32Array(BURST_MAX);
  let moved = 0;
  while (shim.shim_clock() < end && moved < 2 ** sequenceBits - BURST_MAX) {
    const count = 1 + random.below(BURST_MAX);
    for (let i = 0; i < count; i++) elements[i] = id << sequenceBits | (moved + i);
    const how = random.below(3);
    const n = how === 0
      ? ring.enqueueBurst(elements, count)
      : how === 1
      ? ring.enqueueBulk(elements, count)
      : enqueueInPlace(ring, elements, count);
    if (n === 0) shim.shim_yield();
    moved += n;
  }
  Atomics.add(shared, 2, moved);
  Atomics.add(shared, 1, 1);
  return { moved, reordered: 0 };
}

function enqueueInPlace(ring: MpmcRing, elements: Uint32Array, count: number): number {
  const n = ring.reserveBurst(count);
  const first = ring.reserved;
  for (let i = 0; i < n; i++) ring.words[(first + i) & ring.mask] = elements[i];
  ring.commit(n);
  return n;
}

function dequeueInPlace(ring: MpmcRing, elements: Uint32Array, max: number): number {
  const n = ring.peekBurst(max);
  const first = ring.peeked;
  for (let i = 0; i < n; i++) elements[i] = ring.words[(first + i) & ring.mask];
  ring.finish(n);
  return n;
}

function consume(order: MpmcOrder, ring: MpmcRing, random: Random, end: number): MpmcAnswer {
  const { shared, seen, sequenceBits, producerCount } = order;
  const elements = new Uint32Array(BURST_MAX);
  const next = new Uint32Array(producerCount);
  let moved = 0, reordered = 0;
  const isDone = () =>
    Atomics.load(shared, 1) === producerCount &&
    Atomics.load(shared, 3) >= Atomics.load(shared, 2);
  while (!isDone() && shim.shim_clock() < end + 1e9) { // a second more, or elements are lost
    const max = 1 + random.below(BURST_MAX);
    const how = random.below(3);
    const n = how === 0
      ? ring.dequeueBurst(elements, max)
      : how === 1
      ? ring.dequeueBulk(elements, 1 + max % 4)
      : dequeueInPlace(ring, elements, max);
    if (n === 0) shim.shim_yield();
    for (let i = 0; i < n; i++) {
      const producer = elements[i] >>> sequenceBits;
      const sequence = elements[i] & (2 ** sequenceBits - 1);
      if (sequence < next[producer]) reordered++;
      next[producer] = sequence + 1;
      Atomics.add(seen, elements[i], 1);
    }
    Atomics.add(shared, 3, n);
    moved += n;
  }
  return { moved, reordered };
}
