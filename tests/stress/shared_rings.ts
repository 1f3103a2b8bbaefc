import { type MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  type AgentOrder,
  elementWord,
  openShared,
  type RingOrder,
  SHARED,
  writeObject,
} from "./agent.ts";
import type { Mode } from "./modes.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Who uses the rings. */
export interface Team {
  /**
   * How many put objects into the first ring and take them out of the second, and how many do the
   * reverse. `[4, 0]`: four of them, and one ring that all take from and put into.
   */
  readonly agents: readonly [forth: number, back: number];
  /** How many of them, of the last ones, are processes; the others are Workers. */
  readonly processes: number;
}

/** What a run shall be. */
export interface RunOptions {
  readonly mode: Mode;
  readonly team: Team;
  readonly seconds: number;
  readonly size: number;
  readonly burstMax: number;
  /** Told once a second. */
  readonly onProgress?: (seconds: number) => void;
}

/** Positions begin so far before 2^32. */
const BEFORE_WRAP = 50;

/** A team in words, such as `2 -> 2, 1 process`. */
export function teamText({ agents: [forth, back], processes }: Team): string {
  const workers = back === 0 ? `${forth} on one ring` : `${forth} -> ${back}`;
  return processes === 0 ? workers : `${workers}, ${processes} of them processes`;
}

/** The shared memory of a run, and what is where in it. */
export class SharedRings {
  readonly memory: MappedMemory;
  readonly fd: number;
  readonly bytes: number;
  readonly rings: readonly RingOrder[];
  readonly objects: number;
  readonly objectCount: number;

  constructor(readonly options: RunOptions) {
    const { mode, size, team: { agents: [forth, back] } } = options;
    const isOneRing = back === 0;
    const there = { producers: forth, consumers: isOneRing ? forth : back };
    const here = { producers: there.consumers, consumers: there.producers };
    const ringBytes = Math.ceil(mode.bytes(size) / 4096) * 4096;
    const first = { offset: SHARED.RINGS_BYTES, ends: there };
    this.rings = isOneRing
      ? [first]
      : [first, { offset: SHARED.RINGS_BYTES + ringBytes, ends: here }];
    this.objects = SHARED.RINGS_BYTES + this.rings.length * ringBytes;
    const capacity = mode.capacity(size);
    // The rings are full, and empty, now and then.
    this.objectCount = isOneRing ? capacity : Math.ceil(capacity * 1.5);
    const bytes = this.objects + this.objectCount * SHARED.OBJECT_WORDS * 4;
    this.bytes = Math.ceil(bytes / 4096) * 4096;
    this.fd = sealedMemfd("stress", this.bytes);
    this.memory = openShared(this.path, this.bytes);
    for (const { offset, ends } of this.rings) {
      mode.prepare(this.memory, offset, size, ends, 2 ** 32 - BEFORE_WRAP);
    }
    this.#fill();
  }

  get path(): string {
    return `/proc/${Deno.pid}/fd/${this.fd}`;
  }

  orders(): AgentOrder[] {
    const { mode, size, burstMax, team: { agents: [forth, back] } } = this.options;
    const [first, second = first] = this.rings;
    const { path, bytes, objects, objectCount } = this;
    return Array.from({ length: forth + back }, (_, agent) => {
      const [from, to] = agent < forth ? [second, first] : [first, second];
      const places = { path, bytes, objects, objectCount, from, to };
      return { agent, agents: forth + back, mode: mode.name, size, burstMax, ...places };
    });
  }

  /** Objects that are in each ring, taken out of it. */
  drain(): number[][] {
    const { mode, size } = this.options;
    return this.rings.map(({ offset, ends }) => {
      const ring = mode.open(this.memory, offset, size, ends);
      const elements = Burst.of(1, mode.elementBytes);
      const found: number[] = [];
      // More than there are would be a ring that never ends.
      while (found.length < 4 * this.objectCount && ring.dequeue(elements, 1, true) === 1) {
        found.push(elements.words[0]);
      }
      return found;
    });
  }

  /** Put all objects in, the last ring first. */
  #fill(): void {
    const { mode, size, team: { agents: [forth, back] } } = this.options;
    const author = forth + back;
    let object = 0;
    for (const { offset, ends } of this.rings.toReversed()) {
      const ring = mode.open(this.memory, offset, size, ends);
      for (let i = 0; i < mode.capacity(size) && object < this.objectCount; i++, object++) {
        const sequence = object + 1;
        writeObject(this.memory.u32, this.objects >>> 2, object, author, sequence);
        const element = Burst.of(1, mode.elementBytes);
        for (let word = 0; word < element.wordsPerElement; word++) {
          element.words[word] = word === 0 ? object : elementWord(object, sequence, word);
        }
        if (ring.enqueue(element, 1, true) !== 1) throw new Error(`object ${object} does not fit`);
      }
      ring.close?.();
    }
  }

  close(): void {
    this.memory.close();
    shim.shim_fd_close(this.fd);
  }
}
