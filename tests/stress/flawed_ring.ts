import { MPMC } from "../../app/memory/layout.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { StressRing } from "./modes.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** What may be wrong with a {@linkcode FlawedRing}. */
export const FLAWS = [
  "has no flaw",
  "claims slots in two steps",
  "does not wait for its turn",
  "publishes before it writes",
  "gives slots back before it reads",
  "takes one slot more than are free",
] as const;

/** One of them. */
export type Flaw = typeof FLAWS[number];

/**
 * The two-step ring of textbooks for several producers and consumers, written again, with one flaw:
 * the stress test must find it.
 */
export class FlawedRing implements StressRing {
  constructor(
    private readonly memory: MappedMemory,
    private readonly offset: number,
    private readonly size: number,
    private readonly flaw: Flaw,
  ) {}

  enqueue(elements: Burst, count: number, isBulk: boolean): number {
    const { memory, size, flaw } = this;
    const start = this.offset >>> 2;
    const extra = flaw === "takes one slot more than are free" ? 1 : 0;
    const [head, n] = this.#claim(start + MPMC.PRODUCER_HEAD, count, isBulk, (head) => {
      return (size + extra + memory.load(start + MPMC.CONSUMER_TAIL) - head) >>> 0;
    });
    if (n === 0) return 0;
    const isEarly = flaw === "publishes before it writes";
    if (isEarly) this.#finish(start + MPMC.PRODUCER_TAIL, head, n);
    for (let i = 0; i < n; i++) memory.u32[this.#slot(head + i)] = elements.words[i];
    if (!isEarly) this.#finish(start + MPMC.PRODUCER_TAIL, head, n);
    return n;
  }

  dequeue(elements: Burst, count: number, isBulk: boolean): number {
    const { memory, flaw } = this;
    const start = this.offset >>> 2;
    const [head, n] = this.#claim(start + MPMC.CONSUMER_HEAD, count, isBulk, (head) => {
      return (memory.load(start + MPMC.PRODUCER_TAIL) - head) >>> 0;
    });
    if (n === 0) return 0;
    const isEarly = flaw === "gives slots back before it reads";
    if (isEarly) this.#finish(start + MPMC.CONSUMER_TAIL, head, n);
    for (let i = 0; i < n; i++) elements.words[i] = memory.u32[this.#slot(head + i)];
    if (!isEarly) this.#finish(start + MPMC.CONSUMER_TAIL, head, n);
    return n;
  }

  #slot(position: number): number {
    return (this.offset >>> 2) + MPMC.SLOTS + (position & (this.size - 1));
  }

  /** Returns the position that was claimed, and how many slots from there on: 0 for none. */
  #claim(
    word: number,
    count: number,
    isBulk: boolean,
    roomFrom: (head: number) => number,
  ): [head: number, n: number] {
    for (;;) {
      const head = this.memory.load(word);
      const n = Math.min(count, roomFrom(head));
      if (n === 0 || isBulk && n < count) return [head, 0];
      const next = (head + n) >>> 0;
      if (this.flaw === "claims slots in two steps") {
        if (this.memory.load(word) !== head) continue;
        this.memory.store(word, next);
        return [head, n];
      }
      if (this.memory.compareAndSwap(word, head, next)) return [head, n];
    }
  }

  #finish(word: number, head: number, n: number): void {
    const isPatient = this.flaw !== "does not wait for its turn" &&
      this.flaw !== "claims slots in two steps"; // it would wait for ever
    while (isPatient && this.memory.load(word) !== head) shim.shim_yield();
    this.memory.store(word, (head + n) >>> 0);
  }
}
