import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { Burst } from "../../app/ring/burst.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { exchange } from "./jit_exchange.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** Words of the shared memory, each on a line of its own. The ring lies at `RING_BYTES`. */
export const WORD = { FLAG: 0, STOP: 64, ACK: 128, DATA: 192, RING_BYTES: 4096 } as const;

/** Slots of that ring: every other burst of `BURST` goes round its end. */
export const RING_SIZE = 16;

/** Descriptors of a burst. */
export const BURST = 7;

/** How a reader looks for a change. */
export type Look =
  | "load"
  | "fenced load"
  | "ring"
  | "burst"
  | "count"
  | "plain load";

/** What may be done in the wrong order, to show that it would be seen. */
export type Disorder =
  | "none"
  | "flag first"
  | "data first"
  | "acknowledge first"
  | "call before the stores"
  | "loads before the call";

/** What a Worker is to do. */
export type JitOrder =
  & { readonly memory: MappedMemoryHandle; readonly start: StartLine; readonly seconds: number }
  & (
    | { readonly role: "spin"; readonly look: Look }
    | {
      readonly role: "write" | "read" | "ask" | "answer" | "twins" | "exchange";
      readonly disorder: Disorder;
    }
  );

/** What it saw. */
export interface JitAnswer {
  /** Turns of its loop. */
  readonly turns: number;
  /** Of a reader that spins: whether it saw the change. Of others: messages that it saw or sent. */
  readonly seen: number;
  /** Data that were older, or newer, than the flag that announced them. */
  readonly wrong: number;
}

/** A loop whose loads were moved out of it ends by count, after some seconds. */
const TURNS_MAX = 2 ** 31;

// Each loop is a function of its own, so that V8 optimizes it with one kind of load alone.

function spinByLoad(memory: MappedMemory): number {
  let turns = 0;
  while (memory.load(WORD.FLAG) === 0 && turns < TURNS_MAX) turns++;
  return turns;
}

function spinByFencedLoad({ map }: MappedMemory): number {
  let turns = 0;
  while (shim.shim_fenced_load(map, WORD.FLAG) === 0 && turns < TURNS_MAX) turns++;
  return turns;
}

function spinByRing(memory: MappedMemory): number {
  const ring = new SpscRing(memory, WORD.RING_BYTES, RING_SIZE);
  const burst = Burst.of(1);
  let turns = 0;
  while (ring.dequeueBurst(burst, 1) === 0 && turns < TURNS_MAX) turns++;
  return turns;
}

/** It looks at its burst alone, by a plain load, which the shim writes to. */
function spinByBurst(memory: MappedMemory): number {
  const ring = new SpscRing(memory, WORD.RING_BYTES, RING_SIZE);
  const burst = Burst.of(BURST);
  const { words } = burst;
  let turns = 0;
  while (words[2 * BURST - 1] === 0 && turns < TURNS_MAX) {
    ring.dequeueBurst(burst, BURST);
    turns++;
  }
  return turns;
}

function spinByCount(memory: MappedMemory): number {
  const ring = new SpscRing(memory, WORD.RING_BYTES, RING_SIZE);
  let turns = 0;
  while (ring.count === 0 && turns < TURNS_MAX) turns++;
  return turns;
}

function spinByPlainLoad({ u32 }: MappedMemory): number {
  let turns = 0;
  while (u32[WORD.FLAG] === 0 && turns < TURNS_MAX) turns++;
  return turns;
}

const SPINNERS = {
  "load": spinByLoad,
  "fenced load": spinByFencedLoad,
  "ring": spinByRing,
  "burst": spinByBurst,
  "count": spinByCount,
  "plain load": spinByPlainLoad,
};

const DATA_0 = WORD.DATA,
  DATA_1 = WORD.DATA + 64,
  DATA_2 = WORD.DATA + 65,
  DATA_3 = WORD.DATA + 128;

/** Message after message: four plain stores, then the flag. Nobody answers. */
function write(memory: MappedMemory, disorder: Disorder): JitAnswer {
  const { u32 } = memory;
  let message = 0;
  while (memory.load(WORD.STOP) === 0) {
    message = (message + 1) | 0;
    if (disorder === "flag first") memory.store(WORD.FLAG, message);
    u32[DATA_0] = message;
    u32[DATA_1] = message;
    u32[DATA_2] = message;
    u32[DATA_3] = message;
    if (disorder !== "flag first") memory.store(WORD.FLAG, message);
  }
  return { turns: message, seen: message, wrong: 0 };
}

/** Workers that share a core see few messages: they go on until they have seen so many. */
const SEEN_MIN = 50_000, PATIENCE_NS = 15e9;

/** Wait, and now and then let the other one have this core. */
function rest(tries: number): void {
  if (tries % 1000 < 999) shim.shim_pause(1);
  else shim.shim_yield();
}

/** The flag, then four plain loads: none may be older than the flag. */
function read(memory: MappedMemory, disorder: Disorder, end: number): JitAnswer {
  const { u32 } = memory;
  let turns = 0, seen = 0, wrong = 0, last = 0;
  const isOver = () => shim.shim_clock() >= (seen > SEEN_MIN ? end : end + PATIENCE_NS);
  while (++turns % 1024 !== 0 || !isOver()) {
    const early = u32[DATA_3];
    const flag = memory.load(WORD.FLAG) | 0;
    const late = disorder === "data first" ? early : u32[DATA_3];
    if (((u32[DATA_0] | 0) - flag | 0) < 0) wrong++;
    if (((u32[DATA_1] | 0) - flag | 0) < 0) wrong++;
    if (((u32[DATA_2] | 0) - flag | 0) < 0) wrong++;
    if (((late | 0) - flag | 0) < 0) wrong++;
    if (flag !== last) seen++;
    last = flag;
  }
  memory.store(WORD.STOP, 1);
  return { turns, seen, wrong };
}

/** The same word twice, by plain loads: how often they differ while it is written. */
function readTwins(memory: MappedMemory, end: number): JitAnswer {
  const { u32 } = memory;
  let turns = 0, wrong = 0;
  while (++turns % 1024 !== 0 || shim.shim_clock() < end) {
    const once = u32[DATA_0];
    const again = u32[DATA_0];
    if (once !== again) wrong++;
  }
  memory.store(WORD.STOP, 1);
  return { turns, seen: turns, wrong };
}

/** As `write`, but each message is acknowledged before the next is written. */
function ask(memory: MappedMemory, end: number): JitAnswer {
  const { u32 } = memory;
  let message = 0;
  do {
    message = (message + 1) | 0;
    u32[DATA_0] = message;
    u32[DATA_1] = message;
    u32[DATA_2] = message;
    u32[DATA_3] = message;
    memory.store(WORD.FLAG, message);
    for (let tries = 0; (memory.load(WORD.ACK) | 0) !== message; tries++) rest(tries);
  } while (
    message % 64 !== 0 || shim.shim_clock() < (message > SEEN_MIN ? end : end + PATIENCE_NS)
  );
  memory.store(WORD.STOP, 1);
  return { turns: message, seen: message, wrong: 0 };
}

/** The loads of a message, then the acknowledgement: none may be of the next message. */
function answer(memory: MappedMemory, disorder: Disorder): JitAnswer {
  const { u32 } = memory;
  let turns = 0, last = 0, wrong = 0, tries = 0;
  while (memory.load(WORD.STOP) === 0) {
    const flag = memory.load(WORD.FLAG) | 0;
    if (flag === last) {
      rest(++tries);
      continue;
    }
    last = flag;
    turns++;
    if (disorder === "acknowledge first") memory.store(WORD.ACK, flag);
    const a = u32[DATA_0] | 0, b = u32[DATA_1] | 0, c = u32[DATA_2] | 0, d = u32[DATA_3] | 0;
    if (disorder !== "acknowledge first") memory.store(WORD.ACK, flag);
    if (a !== flag || b !== flag || c !== flag || d !== flag) wrong++;
  }
  return { turns, seen: turns, wrong };
}

serveOrder((order: JitOrder): JitAnswer => {
  const memory = new MappedMemory(order.memory);
  if (order.role === "spin") {
    meetAt(order.start, 2);
    const turns = SPINNERS[order.look](memory);
    return { turns, seen: turns < TURNS_MAX ? 1 : 0, wrong: 0 };
  }
  if (order.role === "exchange") {
    const ring = new SpscRing(memory, WORD.RING_BYTES, RING_SIZE);
    return exchange(ring, BURST, order.disorder, shim.shim_clock() + order.seconds * 1e9);
  }
  // Pinned apart, or they may be put on one core, where they never meet.
  const core = order.role === "write" || order.role === "ask" ? 0 : 1;
  shim.shim_thread_pin(core % navigator.hardwareConcurrency);
  meetAt(order.start, 2);
  const end = shim.shim_clock() + order.seconds * 1e9;
  if (order.role === "write") return write(memory, order.disorder);
  if (order.role === "read") return read(memory, order.disorder, end);
  if (order.role === "twins") return readTwins(memory, end);
  if (order.role === "ask") return ask(memory, end);
  return answer(memory, order.disorder);
});
