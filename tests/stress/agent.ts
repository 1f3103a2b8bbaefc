import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { Burst } from "../../app/ring/burst.ts";
import { Random } from "../kit/random.ts";
import { type Ends, modeNamed } from "./modes.ts";

/** Where things lie in the memory that all agents of a run share. */
export const SHARED = {
  /** Words: how many agents are there, whether they may begin, whether they shall end. */
  HERE: 0,
  GO: 32,
  STOP: 64,
  /** Byte offset of the first ring. */
  RINGS_BYTES: 4096,
  /** Words of an object: a cache line, as in DPDK's test. */
  OBJECT_WORDS: 16,
} as const;

/** A ring, by its byte offset. */
export interface RingOrder {
  readonly offset: number;
  readonly ends: Ends;
}

/**
 * What an agent does: take objects out of a ring, check and rewrite them, put them into another.
 */
export interface AgentOrder {
  /** Its number, from 0. */
  readonly agent: number;
  /** How many there are. */
  readonly agents: number;
  readonly mode: string;
  /** The shared memory, as a file: of this process or another. */
  readonly path: string;
  readonly bytes: number;
  readonly size: number;
  /** Most elements of a burst. */
  readonly burstMax: number;
  readonly from: RingOrder;
  readonly to: RingOrder;
  /** Byte offset of the objects. */
  readonly objects: number;
  readonly objectCount: number;
}

/** What it did and saw. */
export interface AgentAnswer {
  /** Objects that it moved. */
  readonly moved: number;
  /** Objects that were not as their last owner left them, or that changed while owned. */
  readonly wrong: number;
  /** Objects that overtook an earlier one of the same agent. */
  readonly reordered: number;
  /** The first thing that was wrong. */
  readonly first: string;
  /** Objects that it still holds, since it was told to end. */
  readonly held: readonly number[];
}

/** Open the shared memory. */
export function openShared(path: string, bytes: number): MappedMemory {
  const fd = check(shim.shim_file_open(cString(path), 5), `open ${path}`);
  const memory = MappedMemory.ofFile(fd, bytes, path);
  shim.shim_fd_close(fd);
  return memory;
}

/** Word `i` of an object that `agent` has let go as its number `sequence`. */
function wordOf(object: number, agent: number, sequence: number, i: number): number {
  if (i === 0) return sequence >>> 0;
  return (Math.imul(sequence + i, 0x9e3779b1) ^ Math.imul(object, 0x85ebca6b) ^ agent) >>> 0;
}

/** Write an object as `agent` leaves it. */
export function writeObject(
  u32: Uint32Array,
  base: number,
  object: number,
  agent: number,
  sequence: number,
): void {
  const at = base + object * SHARED.OBJECT_WORDS;
  u32[at] = wordOf(object, agent, sequence, 0);
  u32[at + 1] = agent;
  for (let i = 2; i < SHARED.OBJECT_WORDS; i++) u32[at + i] = wordOf(object, agent, sequence, i);
}

/** Whether an object is just as somebody has left it. */
export function isWhole(u32: Uint32Array, base: number, object: number): boolean {
  const at = base + object * SHARED.OBJECT_WORDS;
  const sequence = u32[at], agent = u32[at + 1];
  for (let i = 2; i < SHARED.OBJECT_WORDS; i++) {
    if (u32[at + i] !== wordOf(object, agent, sequence, i)) return false;
  }
  return true;
}

/** Word `i` of an element, from 1 on: it follows from the object's number and its sequence. */
export function elementWord(object: number, sequence: number, i: number): number {
  return (Math.imul(sequence, 0xc2b2ae35) + object + i) >>> 0;
}

/** Own an object for a while: write a mark of our own all over it. */
function mark(u32: Uint32Array, at: number, agent: number): void {
  for (let i = 0; i < SHARED.OBJECT_WORDS; i++) u32[at + i] = ~agent;
}

function isMarked(u32: Uint32Array, at: number, agent: number): boolean {
  for (let i = 0; i < SHARED.OBJECT_WORDS; i++) if (u32[at + i] !== ~agent >>> 0) return false;
  return true;
}

/** Wait a little: mostly without a system call, so that agents often meet in the middle. */
function rest(random: Random): void {
  if (random.below(16) > 0) shim.shim_pause(1);
  else shim.shim_yield();
}

/** One agent of a run, in a Worker or a process: the body of DPDK's `test_ring_stress_impl.h`. */
class Agent {
  readonly #memory: MappedMemory;
  readonly #u32: Uint32Array;
  readonly #objects: number;
  readonly #elements: Burst;
  readonly #words: number;
  readonly #last: Uint32Array;
  readonly #answer = { moved: 0, wrong: 0, reordered: 0, first: "" };
  #sequence = 0;

  constructor(private readonly order: AgentOrder) {
    const { path, bytes, mode, burstMax, agents, objects } = order;
    this.#memory = openShared(path, bytes);
    this.#u32 = this.#memory.u32;
    this.#objects = objects >>> 2;
    this.#words = modeNamed(mode).elementBytes / 4;
    this.#elements = Burst.of(burstMax, modeNamed(mode).elementBytes);
    this.#last = new Uint32Array(agents + 1);
  }

  run(): AgentAnswer {
    const { order } = this;
    const mode = modeNamed(order.mode);
    const random = new Random(order.agent + 4711);
    const [from, to] = order.from.offset === order.to.offset
      ? Array(2).fill(mode.open(this.#memory, order.from.offset, order.size, order.from.ends))
      : [order.from, order.to].map(({ offset, ends }) =>
        mode.open(this.#memory, offset, order.size, ends)
      );
    shim.shim_fetch_add(this.#memory.map, SHARED.HERE, 1);
    while (this.#memory.load(SHARED.GO) === 0) shim.shim_yield();
    let left = 0;
    while (this.#memory.load(SHARED.STOP) === 0) {
      const n = from.dequeue(
        this.#elements,
        1 + random.below(order.burstMax),
        random.below(2) === 0,
      );
      if (n === 0) {
        rest(random);
        continue;
      }
      for (let i = 0; i < n; i++) this.#own(i, mode.isFifo);
      shim.shim_pause(1 + random.below(8)); // and V8 cannot know what the objects hold afterwards
      for (let i = 0; i < n; i++) this.#letGo(i);
      for (left = n; left > 0 && this.#memory.load(SHARED.STOP) === 0;) {
        const moved = to.enqueue(this.#elements, left, random.below(2) === 0);
        if (moved === 0) rest(random);
        else if (moved < left) this.#elements.words.copyWithin(0, moved * this.#words);
        left -= moved;
      }
      this.#answer.moved += n - left;
    }
    from.close?.();
    if (to !== from) to.close?.();
    const held = Array.from({ length: left }, (_, i) => this.#elements.words[i * this.#words]);
    this.#memory.close();
    return { ...this.#answer, held };
  }

  /** An object has come: it must be as it was left. */
  #own(i: number, isFifo: boolean): void {
    const u32 = this.#u32;
    const object = this.#elements.words[i * this.#words];
    if (object >= this.order.objectCount) return this.#complain(`object ${object} is none`);
    const at = this.#objects + object * SHARED.OBJECT_WORDS;
    if (!isWhole(u32, this.#objects, object)) {
      const found = Array.from(u32.subarray(at, at + SHARED.OBJECT_WORDS));
      this.#complain(`object ${object} came as ${found}`);
    }
    const sequence = u32[at], source = u32[at + 1];
    if (isFifo) {
      for (let word = 1; word < this.#words; word++) {
        if (this.#elements.words[i * this.#words + word] !== elementWord(object, sequence, word)) {
          this.#complain(`the element of object ${object} is of another time`);
        }
      }
      if (source < this.#last.length) {
        if (((sequence - this.#last[source]) | 0) <= 0) this.#answer.reordered++;
        this.#last[source] = sequence;
      }
    }
    mark(u32, at, this.order.agent);
  }

  /** Nobody else may have touched it meanwhile. */
  #letGo(i: number): void {
    const object = this.#elements.words[i * this.#words];
    if (object >= this.order.objectCount) return;
    const at = this.#objects + object * SHARED.OBJECT_WORDS;
    if (!isMarked(this.#u32, at, this.order.agent)) {
      this.#complain(`object ${object} changed while it was owned`);
    }
    const sequence = this.#sequence = (this.#sequence + 1) >>> 0;
    writeObject(this.#u32, this.#objects, object, this.order.agent, sequence);
    for (let word = 1; word < this.#words; word++) {
      this.#elements.words[i * this.#words + word] = elementWord(object, sequence, word);
    }
  }

  #complain(what: string): void {
    if (this.#answer.wrong++ === 0) this.#answer.first = `agent ${this.order.agent}: ${what}`;
  }
}

/** Carry out an order. It takes until somebody sets `SHARED.STOP`. */
export function runAgent(order: AgentOrder): AgentAnswer {
  return new Agent(order).run();
}
