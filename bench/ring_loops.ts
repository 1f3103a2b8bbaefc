/**
 * One end of the ring benchmark, or both: enqueues or dequeues numbered elements, pinned to its
 * core.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import type { MappedMemory } from "../ffi/mapped_memory.ts";
import { shim } from "../ffi/shim.ts";
import { Burst } from "../app/ring/burst.ts";
import { MpmcRing } from "../app/ring/mpmc_ring.ts";
import { SpscRing } from "../app/ring/spsc_ring.ts";
import type { RingMode, RingOrder } from "./ring_order.ts";

type Ring = SpscRing | MpmcRing;

/**
 * As the peer, bench/peers/rte_ring_loops.h. `bulk`: the first element of each bulk carries its
 * number, the others a mark; the consumer checks the first and the last. `zc`: every element is its
 * number, written and compared in the ring's own slots. What is timed is the ring, not the loops
 * around it.
 */
const MARK = 0x05ea0080;

/** Make the ring that a mode is about; its memory may be of an earlier one. */
export function ringOf(
  memory: MappedMemory,
  size: number,
  { mode, elementBytes }: RingMode,
): Ring {
  if (mode === "spsc") return new SpscRing(memory, 0, size, { elementBytes });
  const sharing = mode === "mpmc" ? "multi" : mode;
  return new MpmcRing(memory, 0, size, { producers: sharing, consumers: sharing, elementBytes });
}

function failed(number: number): Error {
  return new Error(`element ${number} did not come as it was sent`);
}

function produceBulk(ring: Ring, { burst, elements, mode, pauses }: RingOrder): void {
  const sent = Burst.of(burst, mode.elementBytes);
  sent.words.fill(MARK);
  for (let next = 0; next < elements; next += burst) {
    sent.words[0] = next;
    while (ring.enqueueBulk(sent, burst) === 0) shim.shim_pause(pauses);
  }
}

function consumeBulk(ring: Ring, { burst, elements, mode, pauses }: RingOrder): void {
  const got = Burst.of(burst, mode.elementBytes);
  const last = got.words.length - 1;
  for (let next = 0; next < elements; next += burst) {
    while (ring.dequeueBulk(got, burst) === 0) shim.shim_pause(pauses);
    if (got.words[0] !== next || (last > 0 && got.words[last] !== MARK)) throw failed(next);
  }
}

function bothBulk(ring: Ring, { burst, elements, mode }: RingOrder): void {
  const sent = Burst.of(burst, mode.elementBytes);
  sent.words.fill(MARK);
  const got = Burst.of(burst, mode.elementBytes);
  const last = got.words.length - 1;
  for (let next = 0; next < elements; next += burst) {
    sent.words[0] = next;
    const isThere = ring.enqueueBulk(sent, burst) === burst &&
      ring.dequeueBulk(got, burst) === burst;
    if (!isThere || got.words[0] !== next || (last > 0 && got.words[last] !== MARK)) {
      throw failed(next);
    }
  }
}

/**
 * Write numbers from `next` on to the slots; the upper half of 8 bytes is 0, as no run has 2^32.
 */
function fill(ring: Ring, n: number, next: number): void {
  const { words, mask, reserved } = ring;
  if (ring.wordsPerElement === 1) {
    for (let i = 0; i < n; i++) words[(reserved + i) & mask] = next + i;
  } else {
    for (let i = 0; i < n; i++) {
      const word = ((reserved + i) & mask) << 1;
      words[word] = next + i;
      words[word + 1] = 0;
    }
  }
}

/** Compare the slots with the numbers from `next` on; 0 if they are the same. */
function compareSlots(ring: Ring, n: number, next: number): number {
  const { words, mask, peeked } = ring;
  let wrong = 0;
  if (ring.wordsPerElement === 1) {
    for (let i = 0; i < n; i++) wrong |= words[(peeked + i) & mask] ^ (next + i);
  } else {
    for (let i = 0; i < n; i++) {
      const word = ((peeked + i) & mask) << 1;
      wrong |= (words[word] ^ (next + i)) | words[word + 1];
    }
  }
  return wrong;
}

function produceZc(ring: Ring, { burst, elements, pauses }: RingOrder): void {
  for (let next = 0; next < elements; next += burst) {
    while (ring.reserveBulk(burst) === 0) shim.shim_pause(pauses);
    fill(ring, burst, next);
    ring.commit(burst);
  }
}

function consumeZc(ring: Ring, { burst, elements, pauses }: RingOrder): void {
  for (let next = 0; next < elements; next += burst) {
    while (ring.peekBulk(burst) === 0) shim.shim_pause(pauses);
    if (compareSlots(ring, burst, next) !== 0) throw failed(next);
    ring.finish(burst);
  }
}

function bothZc(ring: Ring, { burst, elements }: RingOrder): void {
  for (let next = 0; next < elements; next += burst) {
    const n = ring.reserveBulk(burst);
    fill(ring, n, next);
    ring.commit(n);
    if (ring.peekBulk(burst) !== n || compareSlots(ring, n, next) !== 0) throw failed(next);
    ring.finish(n);
  }
}

const LOOPS = {
  bulk: { producer: produceBulk, consumer: consumeBulk, both: bothBulk },
  zc: { producer: produceZc, consumer: consumeZc, both: bothZc },
};

/** The ring of the last order: it goes on where it stood, as the other end does. */
let ring: Ring | undefined;

/** Carry out an order; returns the nanoseconds that it took. */
export function carryOut(memory: MappedMemory, order: RingOrder): number {
  check(shim.shim_thread_pin(order.core), `pin to core ${order.core}`);
  ring ??= ringOf(memory, order.size, order.mode);
  const start = shim.shim_clock();
  LOOPS[order.mode.how][order.role](ring, order);
  return shim.shim_clock() - start;
}
