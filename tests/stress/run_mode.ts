import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  type AgentAnswer,
  type AgentOrder,
  elementWord,
  isWhole,
  openShared,
  type RingOrder,
  SHARED,
  writeObject,
} from "./agent.ts";
import type { Mode } from "./modes.ts";

/** Who uses the rings. */
export interface Crew {
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
  readonly crew: Crew;
  readonly seconds: number;
  readonly size: number;
  readonly burstMax: number;
  /** Told once a second. */
  readonly onProgress?: (seconds: number) => void;
}

/** How it went. */
export interface RunResult {
  readonly seconds: number;
  /** Objects that went through a ring. */
  readonly moved: number;
  /** What was wrong; nothing should be. */
  readonly complaints: readonly string[];
}

/** Positions begin so far before 2^32. */
const BEFORE_WRAP = 50;

/** How long an agent may take to come, and to end. */
const PATIENCE_MS = 30_000;

const ENDLESS_MS = 24 * 3600_000;

/** A crew in words, such as `2 -> 2, 1 process`. */
export function crewText({ agents: [forth, back], processes }: Crew): string {
  const workers = back === 0 ? `${forth} on one ring` : `${forth} -> ${back}`;
  return processes === 0 ? workers : `${workers}, ${processes} of them processes`;
}

/** An agent that was started, and how to end it if it does not end by itself. */
interface Started {
  readonly answer: Promise<AgentAnswer>;
  kill(): void;
}

function startWorker(order: AgentOrder): Started {
  const worker = new Worker(new URL("./agent_worker.ts", import.meta.url), { type: "module" });
  const answer = new Promise<AgentAnswer>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<AgentAnswer>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`agent ${order.agent} failed: ${event.message}`));
    };
  });
  worker.postMessage(order);
  return { answer, kill: () => worker.terminate() };
}

function startProcess(order: AgentOrder): Started {
  const program = new URL("./agent_process.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, JSON.stringify(order)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const answer = child.output().then(({ success, stdout, stderr }) => {
    const decoder = new TextDecoder();
    if (success) return JSON.parse(decoder.decode(stdout)) as AgentAnswer;
    throw new Error(`agent ${order.agent} failed: ${decoder.decode(stderr)}`);
  });
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  };
  return { answer, kill };
}

const sleep = (milliseconds: number) => new Promise((wake) => setTimeout(wake, milliseconds));

/** Reject if nothing else comes of `promise` in time. */
async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  let timer;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The shared memory of a run, and what is where in it. */
class Stage {
  readonly memory: MappedMemory;
  readonly fd: number;
  readonly bytes: number;
  readonly rings: readonly RingOrder[];
  readonly objects: number;
  readonly objectCount: number;

  constructor(readonly options: RunOptions) {
    const { mode, size, crew: { agents: [forth, back] } } = options;
    const isOneRing = back === 0;
    const there = { producers: forth, consumers: isOneRing ? forth : back };
    const here = { producers: there.consumers, consumers: there.producers };
    const ringBytes = Math.ceil(mode.bytes(size) / 4096) * 4096;
    const first = { offset: SHARED.RINGS_BYTES, ends: there };
    this.rings = isOneRing
      ? [first]
      : [first, { offset: SHARED.RINGS_BYTES + ringBytes, ends: here }];
    this.objects = SHARED.RINGS_BYTES + this.rings.length * ringBytes;
    this.objectCount = isOneRing ? size : size * 1.5; // the rings are full, and empty, now and then
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
    const { mode, size, burstMax, crew: { agents: [forth, back] } } = this.options;
    const [first, second = first] = this.rings;
    const { path, bytes, objects, objectCount } = this;
    return Array.from({ length: forth + back }, (_, agent) => {
      const [from, to] = agent < forth ? [second, first] : [first, second];
      const places = { path, bytes, objects, objectCount, from, to };
      return { agent, agents: forth + back, mode: mode.name, size, burstMax, ...places };
    });
  }

  /** Objects that are in the rings, taken out of them. */
  drain(): number[] {
    const { mode, size } = this.options;
    const found = [];
    for (const { offset, ends } of this.rings) {
      const ring = mode.open(this.memory, offset, size, ends);
      const elements = new Uint32Array(mode.words);
      // More than there are would be a ring that never ends.
      while (found.length < 4 * this.objectCount && ring.dequeue(elements, 1, false) === 1) {
        found.push(elements[0]);
      }
    }
    return found;
  }

  /** Put all objects in, the last ring first. */
  #fill(): void {
    const { mode, size, crew: { agents: [forth, back] } } = this.options;
    const author = forth + back;
    let object = 0;
    for (const { offset, ends } of this.rings.toReversed()) {
      const ring = mode.open(this.memory, offset, size, ends);
      for (let i = 0; i < size && object < this.objectCount; i++, object++) {
        const sequence = object + 1;
        writeObject(this.memory.u32, this.objects >>> 2, object, author, sequence);
        const element = Uint32Array.from({ length: mode.words }, (_, word) => {
          return word === 0 ? object : elementWord(object, sequence, word);
        });
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

/** What the agents and the rings say together: each object must be somewhere, once. */
function audit(stage: Stage, answers: readonly AgentAnswer[]): string[] {
  const complaints = answers.flatMap(({ wrong, reordered, first }, agent) => [
    ...(wrong > 0 ? [`${wrong} objects wrong; ${first}`] : []),
    ...(reordered > 0 ? [`agent ${agent} saw ${reordered} objects out of order`] : []),
  ]);
  const times = new Uint32Array(stage.objectCount);
  for (const object of [...stage.drain(), ...answers.flatMap(({ held }) => held)]) times[object]++;
  const lost = times.filter((n) => n === 0).length, doubled = times.filter((n) => n > 1).length;
  if (lost + doubled > 0) complaints.push(`${lost} objects lost, ${doubled} doubled`);
  const broken = Array.from(times, (_, object) => object)
    .filter((object) => !isWhole(stage.memory.u32, stage.objects >>> 2, object));
  if (broken.length > 0) complaints.push(`${broken.length} objects broken in the end`);
  return complaints;
}

/**
 * Let a crew move objects through rings for a while, from just below 2^32 on: each takes up to `burstMax` out,
 * checks them, writes all over them, checks that nobody else did, leaves them as its own, and puts
 * them into the other ring.
 */
export async function runMode(options: RunOptions): Promise<RunResult> {
  const { crew, seconds } = options;
  const stage = new Stage(options);
  const { memory } = stage;
  const orders = stage.orders();
  const agents = orders.map((order, i) =>
    i < orders.length - crew.processes ? startWorker(order) : startProcess(order)
  );
  try {
    const answers = Promise.all(agents.map(({ answer }) => answer));
    answers.catch(() => {}); // it is looked at below
    const allHere = async () => {
      while (memory.load(SHARED.HERE) < agents.length) await sleep(5);
    };
    await within(
      PATIENCE_MS,
      Promise.race([allHere(), answers]),
      "not all agents have come",
    );
    const start = shim.shim_clock();
    memory.store(SHARED.GO, 1);
    const elapsed = () => (shim.shim_clock() - start) / 1e9;
    const over = async () => {
      while (elapsed() < seconds) {
        await sleep(Math.min(1000, (seconds - elapsed()) * 1000 + 1));
        options.onProgress?.(elapsed());
      }
    };
    await within(ENDLESS_MS, Promise.race([over(), answers]), "");
    const took = elapsed();
    memory.store(SHARED.STOP, 1);
    const all = await within(PATIENCE_MS, answers, "an agent hangs");
    const moved = all.reduce((sum, { moved }) => sum + moved, 0);
    return { seconds: took, moved, complaints: audit(stage, all) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { seconds: 0, moved: 0, complaints: [message] };
  } finally {
    memory.store(SHARED.GO, 1);
    memory.store(SHARED.STOP, 1);
    for (const { kill } of agents) kill();
    stage.close();
  }
}
