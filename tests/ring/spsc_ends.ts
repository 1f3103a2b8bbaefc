import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { RING } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { burstOf, wordsOf } from "../kit/burst_of.ts";

/** Slots of the ring. */
export const SIZE = 8;

/** The words of `count` descriptors that tell themselves apart, from number `first` on. */
export function upFrom(first: number, count: number): number[] {
  const words = Array.from({ length: count }, (_, i) => [first + i, (first + i) * 3 + 1]);
  return words.flat();
}

/** A burst of them. */
export function numbered(count: number, first = 0): Burst {
  return burstOf(upFrom(first, count));
}

/** Both ends of a ring of eight whose positions stand at `position`. */
export function ends(memory: MappedMemory, position = 0): [producer: SpscRing, consumer: SpscRing] {
  memory.u32[RING.PRODUCER] = position;
  memory.u32[RING.CONSUMER] = position;
  return [new SpscRing(memory, 0, SIZE), new SpscRing(memory, 0, SIZE)];
}

/** What the next `max` descriptors are. */
export function dequeued(ring: SpscRing, max: number): number[] {
  const burst = Burst.of(max);
  return wordsOf(burst, ring.dequeueBurst(burst, max));
}
