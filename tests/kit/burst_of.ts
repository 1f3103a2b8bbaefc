import { Burst } from "../../app/ring/burst.ts";
import type { ElementBytes } from "../../app/ring/ring_size.ts";

/** A burst that holds these words, and whose count says how many elements they are. */
export function burstOf(words: ArrayLike<number>, elementBytes: ElementBytes = 8): Burst {
  const burst = Burst.of(Math.max(1, Math.ceil(words.length * 4 / elementBytes)), elementBytes);
  burst.words.set(words);
  burst.count = Math.ceil(words.length / burst.wordsPerElement);
  return burst;
}

/** The words of the first `count` elements. */
export function wordsOf({ words, wordsPerElement }: Burst, count: number): number[] {
  return Array.from(words.subarray(0, count * wordsPerElement));
}

/** A burst of `count` elements of one word each, numbered from `first` on. */
export function numbers(count: number, first = 0): Burst {
  return burstOf(Array.from({ length: count }, (_, i) => first + i), 4);
}
