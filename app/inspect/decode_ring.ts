import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { LINE_BYTES, MEMPOOL, MPMC, MPMC_END, MPMC_SYNC, RING } from "../memory/layout.ts";
import type { Memzone } from "../memory/zone.ts";
import { freeRingSize } from "../mempool/free_ring.ts";
import { MpmcRing } from "../ring/mpmc_ring.ts";
import { isRingSize } from "../ring/ring_size.ts";
import { SpscRing } from "../ring/spsc_ring.ts";
import type { MempoolReport, RingReport } from "./region_report.ts";

/** How many times positions are read that change meanwhile. */
const TRIES = 32;

/** Most mbufs that descriptors can name. */
const MBUFS_MAX = 2 ** 24;

/** Why a ring's memzone cannot hold the slots that the directory says; null if it can. */
export function ringProblem({ parameter, size }: Memzone, kind: RingReport["kind"]): string | null {
  if (!isRingSize(parameter)) return `no ring has ${parameter} slots`;
  const needed = kind === "spsc" ? SpscRing.bytes(parameter) : MpmcRing.bytes(parameter);
  return needed > size ? `${parameter} slots do not fit into ${size} bytes` : null;
}

/** Why a mempool's memzone cannot hold the mbufs that it counts; null if it can. */
export function mempoolProblem(memory: MappedMemory, zone: Memzone): string | null {
  const { size, parameter: stride } = zone;
  if (size < MEMPOOL.FREE_RING * 4) return `${size} bytes are too few`;
  const count = mbufsIn(memory, zone);
  if (count === 0 || count > MBUFS_MAX || stride === 0) {
    return `${count} mbufs of ${stride} bytes are no mempool`;
  }
  const ringEnd = MEMPOOL.FREE_RING * 4 + MpmcRing.bytes(freeRingSize(count));
  const needed = Math.ceil(ringEnd / LINE_BYTES) * LINE_BYTES + count * stride;
  return needed > size ? `${count} mbufs of ${stride} bytes do not fit into ${size} bytes` : null;
}

function mbufsIn(memory: MappedMemory, { offset }: Memzone): number {
  return memory.u32[(offset >>> 2) + MEMPOOL.COUNT];
}

/** Positions of a ring: of one moment, if they are steady. */
interface Positions {
  readonly producer: number;
  readonly consumer: number;
  /** Slots claimed, whether finished or not. */
  readonly claimed: number;
  readonly isSteady: boolean;
}

/**
 * Read positions until the consumer's is the same before and after the others, or all tries are
 * used up.
 *
 * The producer moves on while we read. As the consumer has not moved, the producer is at most all
 * slots ahead of it.
 */
function readPositions(
  memory: MappedMemory,
  words: { producer: number; claimed: number; consumer: number },
): Positions {
  for (let tries = 1;; tries++) {
    const consumer = memory.load(words.consumer);
    const producer = memory.load(words.producer);
    const claimed = memory.load(words.claimed);
    const isSteady = memory.load(words.consumer) === consumer;
    if (isSteady || tries === TRIES) return { producer, consumer, claimed, isSteady };
  }
}

function judge(name: string, kind: RingReport["kind"], slots: number, at: Positions): RingReport {
  const { producer, consumer } = at;
  const used = (producer - consumer) >>> 0;
  const claimed = (at.claimed - consumer) >>> 0;
  const isPossible = used <= claimed && claimed <= slots;
  const problem = isPossible || !at.isSteady
    ? null
    : claimed > slots
    ? `the producer is ${claimed} slots ahead of the consumer, in a ring of ${slots}`
    : `${used} elements are there, but only ${claimed} were claimed`;
  return { name, kind, slots, producer, consumer, used: Math.min(used, slots), problem };
}

/** Decode a ring with one producer and one consumer, whose memzone is sound. */
export function decodeSpsc(memory: MappedMemory, { name, offset, parameter }: Memzone): RingReport {
  const start = offset >>> 2;
  const producer = start + RING.PRODUCER;
  const consumer = start + RING.CONSUMER;
  const positions = readPositions(memory, { producer, claimed: producer, consumer });
  return judge(name, "spsc", parameter, positions);
}

/** Decode a ring with several producers and consumers, whose memzone is sound. */
export function decodeMpmc(memory: MappedMemory, { name, offset, parameter }: Memzone): RingReport {
  return mpmcAt(memory, name, offset >>> 2, parameter);
}

function mpmcAt(memory: MappedMemory, name: string, start: number, slots: number): RingReport {
  const isRts = memory.u32[start + MPMC.PRODUCERS] === MPMC_SYNC.rts;
  const positions = readPositions(memory, {
    producer: start + MPMC.PRODUCER_TAIL,
    claimed: start + MPMC.PRODUCER_HEAD + (isRts ? MPMC_END.RTS_HEAD : MPMC_END.HEAD),
    consumer: start + MPMC.CONSUMER_TAIL,
  });
  return judge(name, "mpmc", slots, positions);
}

/** Decode a mempool in the region, whose memzone is sound. */
export function decodeMempool(memory: MappedMemory, zone: Memzone): MempoolReport {
  const count = Math.min(mbufsIn(memory, zone), MBUFS_MAX);
  const start = (zone.offset >>> 2) + MEMPOOL.FREE_RING;
  const ring = mpmcAt(memory, zone.name, start, freeRingSize(count));
  const tooMany = ring.used > count ? `${ring.used} are free of ${count}` : null;
  return {
    name: zone.name,
    count,
    stride: zone.parameter,
    free: ring.used,
    problem: ring.problem ?? tooMany,
  };
}
