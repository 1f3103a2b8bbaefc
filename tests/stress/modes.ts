import { Mempool } from "../../app/mempool/mempool.ts";
import { RING } from "../../app/memory/layout.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import type { Sharing } from "../../app/ring/sharing.ts";
import type { ElementBytes } from "../../app/ring/ring_size.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { FlawedRing, FLAWS } from "./flawed_ring.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** What is put under stress: one agent's use of a ring, or of something like it. */
export interface StressRing {
  /** Put up to `count` elements in, or exactly so many if `isBulk`; returns how many. */
  enqueue(elements: Burst, count: number, isBulk: boolean): number;
  /** Take up to `count` out, or exactly so many if `isBulk`; returns how many. */
  dequeue(elements: Burst, count: number, isBulk: boolean): number;
  /** The agent ends: nothing may stay with it. */
  close?(): void;
}

/** How many use each end of a ring. */
export interface Ends {
  readonly producers: number;
  readonly consumers: number;
}

/** A kind of ring. */
export interface Mode {
  readonly name: string;
  /** Bytes of an element; the first word is the object's number. */
  readonly elementBytes: ElementBytes;
  /** Elements that a ring of `size` slots may hold. */
  capacity(size: number): number;
  /** Bytes of a ring of `size` slots. */
  bytes(size: number): number;
  /** Make an empty ring, in zeroed memory, whose positions begin at `position`. */
  prepare(memory: MappedMemory, offset: number, size: number, ends: Ends, position: number): void;
  /** Use it. */
  open(memory: MappedMemory, offset: number, size: number, ends: Ends): StressRing;
  /** Whether elements come out in the order in which they went in. */
  readonly isFifo: boolean;
  /** Whether each end can have several users. */
  readonly isMulti: boolean;
}

/** A ring that elements can be copied to and from, or worked on in place. */
type BulkRing = SpscRing | MpmcRing;

/** How elements get into the slots and out of them. */
type Way = "copied" | "in place" | "in parts";

/** By the ring's own loops. */
function copied(ring: BulkRing): StressRing {
  return {
    enqueue: (elements, count, isBulk) =>
      isBulk ? ring.enqueueBulk(elements, count) : ring.enqueueBurst(elements, count),
    dequeue: (elements, count, isBulk) =>
      isBulk ? ring.dequeueBulk(elements, count) : ring.dequeueBurst(elements, count),
  };
}

/**
 * By reserve and commit, peek and finish. At an end that can give slots back, `used(n)` of `n`
 * elements are moved.
 */
function inPlace(ring: BulkRing, used: (n: number) => number): StressRing {
  const { words, mask, wordsPerElement } = ring;
  return {
    enqueue(elements, count, isBulk) {
      const n = isBulk ? ring.reserveBulk(count) : used(ring.reserveBurst(count));
      for (let i = 0, word = 0; i < n; i++) {
        const slot = ((ring.reserved + i) & mask) * wordsPerElement;
        for (let j = 0; j < wordsPerElement; j++) words[slot + j] = elements.words[word++];
      }
      ring.commit(n);
      return n;
    },
    dequeue(elements, count, isBulk) {
      const n = isBulk ? ring.peekBulk(count) : used(ring.peekBurst(count));
      for (let i = 0, word = 0; i < n; i++) {
        const slot = ((ring.peeked + i) & mask) * wordsPerElement;
        for (let j = 0; j < wordsPerElement; j++) elements.words[word++] = words[slot + j];
      }
      ring.finish(n);
      return n;
    },
  };
}

const WAYS = {
  copied,
  "in place": (ring: BulkRing) => inPlace(ring, (n) => n),
  // None of one, one of two or three, and so on: with what is given back others go on.
  "in parts": (ring: BulkRing) => inPlace(ring, (n) => n >>> 1),
};

/** How much of a ring is used. */
type Fill = "whole" | "three quarters";

function capacityOf(fill: Fill, size: number): number {
  return fill === "whole" ? size : size - Math.ceil(size / 4);
}

function nameOf(kind: string, elementBytes: ElementBytes, way: Way, fill: Fill): string {
  return `${kind}, ${elementBytes} bytes ${way}` +
    (fill === "whole" ? "" : `, ${fill} of the slots`);
}

function spsc(elementBytes: ElementBytes, way: Way, fill: Fill = "whole"): Mode {
  return {
    name: nameOf("spsc", elementBytes, way, fill),
    elementBytes,
    isFifo: true,
    isMulti: false,
    capacity: (size) => capacityOf(fill, size),
    bytes: (size) => SpscRing.bytes(size, elementBytes),
    prepare(memory, offset, _size, _ends, position) {
      memory.store((offset >>> 2) + RING.PRODUCER, position);
      memory.store((offset >>> 2) + RING.CONSUMER, position);
    },
    open(memory, offset, size) {
      const capacity = capacityOf(fill, size);
      const ring = new SpscRing(memory, offset, size, { elementBytes, capacity });
      const close = () => {
        if (ring.violations > 0) throw new Error(`${ring.violations} impossible positions`);
      };
      return { ...WAYS[way](ring), close };
    },
  };
}

/** An end that has a single user is `single`; how the users of others agree is to be said. */
function mpmc(
  producers: Sharing,
  consumers: Sharing,
  elementBytes: ElementBytes,
  way: Way,
  fill: Fill = "whole",
): Mode {
  const kind = producers === consumers ? producers : `${producers} to ${consumers}`;
  const open = (memory: MappedMemory, offset: number, size: number, ends: Ends) =>
    new MpmcRing(memory, offset, size, {
      elementBytes,
      capacity: capacityOf(fill, size),
      producers: ends.producers > 1 ? producers : "single",
      consumers: ends.consumers > 1 ? consumers : "single",
    });
  return {
    name: nameOf(kind, elementBytes, way, fill),
    elementBytes,
    isFifo: true,
    isMulti: true,
    capacity: (size) => capacityOf(fill, size),
    bytes: (size) => MpmcRing.bytes(size, elementBytes),
    prepare: (memory, offset, size, ends, position) =>
      open(memory, offset, size, ends).reset(position),
    open: (memory, offset, size, ends) => WAYS[way](open(memory, offset, size, ends)),
  };
}

function resetRing(
  memory: MappedMemory,
  offset: number,
  size: number,
  _ends: Ends,
  position: number,
): void {
  new MpmcRing(memory, offset, size).reset(position);
}

/** A mempool that has the objects for mbufs: taken out is allocated, put in is freed. */
function mempool(cacheSize: number): Mode {
  return {
    name: `mempool, cache ${cacheSize}`,
    elementBytes: 8,
    isFifo: false,
    isMulti: true,
    capacity: (size) => size,
    bytes: (size) => MpmcRing.bytes(size),
    prepare: resetRing,
    open(memory, offset, size) {
      const handle = { memory: memory.handle, offset, ringSize: size, total: size };
      const pool = Mempool.attach(handle, cacheSize);
      return {
        enqueue(elements, count) {
          pool.free(elements, count);
          return count;
        },
        dequeue: (elements, count, isBulk) =>
          isBulk ? pool.allocBulk(elements, count) : pool.allocBurst(elements, count),
        close: () => pool.close(),
      };
    },
  };
}

/** What has to hold. */
export const MODES: readonly Mode[] = [
  spsc(8, "copied"),
  spsc(8, "in place"),
  spsc(4, "copied"),
  spsc(16, "in place"),
  spsc(4, "in parts", "three quarters"),
  mpmc("multi", "multi", 4, "copied"),
  mpmc("multi", "multi", 16, "copied"),
  mpmc("multi", "multi", 8, "in place"),
  mpmc("hts", "hts", 4, "copied"),
  mpmc("hts", "hts", 8, "in place"),
  mpmc("rts", "rts", 4, "copied"),
  mpmc("rts", "rts", 8, "in place"),
  mpmc("multi", "hts", 8, "copied"),
  mpmc("hts", "rts", 16, "copied"),
  mpmc("rts", "multi", 4, "in place"),
  mpmc("hts", "hts", 4, "in parts", "three quarters"),
  mpmc("multi", "rts", 8, "copied", "three quarters"),
  mempool(0),
  mempool(32),
];

/** A plain ring of the stress test, and that ring without one of its steps: see `FlawedRing`. */
export const FLAWED_MODES: readonly Mode[] = FLAWS.map((flaw) => ({
  name: `a ring that ${flaw}`,
  elementBytes: 4,
  isFifo: true,
  isMulti: true,
  capacity: (size) => size,
  bytes: (size) => MpmcRing.bytes(size),
  prepare: resetRing,
  open: (memory, offset, size) => new FlawedRing(memory, offset, size, flaw),
}));

/** A mode by its name: how agents are told. */
export function modeNamed(name: string): Mode {
  const mode = [...MODES, ...FLAWED_MODES].find((mode) => mode.name === name);
  if (!mode) throw new Error(`there is no mode ${name}`);
  return mode;
}
