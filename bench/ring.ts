import { fileURLToPath } from "node:url";
import { MappedMemory } from "../ffi/mapped_memory.ts";
import { MpmcRing } from "../app/ring/mpmc_ring.ts";
import { AskedWorker } from "./asked_worker.ts";
import { Child } from "./child.ts";
import type { BenchOptions, Row } from "./measurement.ts";
import { RteRing } from "./peers/rte_ring.ts";
import type { RingMode, RingOrder } from "./ring_order.ts";
import { V8Limit } from "./v8_limit.ts";

const SIZE = 1024;
const BURSTS = [1, 8, 32, 128];

/** Of what is not measured at all bursts: all but bulks of 8 bytes, SP/SC and MP/MC. */
const FEW_BURSTS = [32];

/** Seconds that one sample takes, at some {@linkcode expectedNs} an element. */
const SAMPLE_SECONDS = 0.1;

/**
 * Pauses of a producer or consumer before it looks again at a full or empty ring. Each look takes
 * the cache line away from the other side, so the pauses count for as much as the ring. The best
 * length depends on the burst and on how quickly lines travel just now: each side has the best of
 * these, found just before.
 */
const PAUSES = [3, 30, 100];

async function bestPauses(run: (pauses: number) => Promise<number>): Promise<number> {
  const times = [];
  for (const pauses of PAUSES) times.push(await run(pauses));
  return PAUSES[times.indexOf(Math.min(...times))];
}

/** A guess, to make samples of all bursts take about as long. */
function expectedNs(burst: number): number {
  return 1.5 + 20 / burst;
}

/** What is measured, in this order. */
const MODES: readonly (RingMode & { cores: 1 | 2; ends: "threads" | "processes" })[] = [
  { mode: "spsc", how: "zc", elementBytes: 8, cores: 2, ends: "threads" },
  { mode: "spsc", how: "bulk", elementBytes: 8, cores: 2, ends: "threads" },
  { mode: "mpmc", how: "bulk", elementBytes: 8, cores: 2, ends: "threads" },
  { mode: "hts", how: "zc", elementBytes: 8, cores: 2, ends: "threads" },
  { mode: "hts", how: "bulk", elementBytes: 8, cores: 2, ends: "threads" },
  { mode: "rts", how: "bulk", elementBytes: 8, cores: 2, ends: "threads" },
  { mode: "spsc", how: "zc", elementBytes: 4, cores: 2, ends: "threads" },
  { mode: "spsc", how: "bulk", elementBytes: 4, cores: 2, ends: "threads" },
  { mode: "mpmc", how: "bulk", elementBytes: 4, cores: 2, ends: "threads" },
  { mode: "spsc", how: "zc", elementBytes: 8, cores: 1, ends: "threads" },
  { mode: "spsc", how: "bulk", elementBytes: 8, cores: 1, ends: "threads" },
  { mode: "mpmc", how: "bulk", elementBytes: 8, cores: 1, ends: "threads" },
  { mode: "spsc", how: "bulk", elementBytes: 8, cores: 2, ends: "processes" },
  { mode: "mpmc", how: "bulk", elementBytes: 8, cores: 2, ends: "processes" },
];

type MeasuredMode = (typeof MODES)[number];

/**
 * The ring alone, nanoseconds per element: one way between two pinned cores, or enqueue and dequeue
 * in turns on one; in bulks whose elements are checked. The peer is DPDK's `rte_ring` of the same
 * mode and element size in two threads, which does the same.
 */
export async function benchRing(options: BenchOptions): Promise<void> {
  const { scale, peers, isAsked, measure } = options;
  const limit = await V8Limit.measure(options);
  await using rteRing = peers ? await RteRing.start() : undefined;
  for (const mode of MODES) {
    const isFull = mode.how === "bulk" && mode.elementBytes === 8 && mode.mode.endsWith("c");
    await using pair = await RingPair.start(mode);
    for (const burst of isFull ? BURSTS : FEW_BURSTS) {
      if (!isAsked(nameOf(mode, burst))) continue;
      const bulks = Math.ceil(SAMPLE_SECONDS * scale * 1e9 / expectedNs(burst) / burst);
      const row = await rowOf(pair, rteRing, burst, bulks * burst);
      await measure({ ...row, limit: limit.of(mode, mode.cores, burst) });
    }
  }
}

/** A mode at one burst, each side with its best pauses. */
async function rowOf(
  pair: RingPair,
  rteRing: RteRing | undefined,
  burst: number,
  elements: number,
): Promise<Row> {
  const { mode } = pair;
  const pausesOf = async (run: (pauses: number) => Promise<number>) => {
    return mode.cores === 1 ? 0 : await bestPauses(run);
  };
  const own = async (pauses: number) => await pair.run(burst, elements, pauses) / elements;
  await own(PAUSES[0]); // V8 optimizes what it has seen enough of
  const pauses = await pausesOf(own);
  const name = nameOf(mode, burst);
  const row = {
    ...{ name, unit: "ns", better: "less" } as const,
    ours: () => own(pauses),
  };
  if (!rteRing) return { ...row, settings: { pauses }, peers: [] };
  const other = async (pauses: number) =>
    (await rteRing.measure({ ...mode, burst, elements, pauses })).nsPerElement;
  const peerPauses = await pausesOf(other);
  const peer = { name: `DPDK rte_ring ${mode.how}`, sample: () => other(peerPauses) };
  return { ...row, settings: { pauses, peerPauses }, peers: [peer] };
}

function nameOf({ mode, how, elementBytes, cores, ends }: MeasuredMode, burst: number): string {
  const sync = { spsc: "SP/SC", mpmc: "MP/MC", hts: "HTS", rts: "RTS" }[mode];
  const where = cores === 1 ? "one core" : `two ${ends === "threads" ? "cores" : "processes"}`;
  return `ring ${sync} ${how}, ${elementBytes} B, ${where}, burst ${burst}`;
}

/** Both ends of a ring, in Workers or processes, which keep their ring from run to run. */
class RingPair implements AsyncDisposable {
  private constructor(
    readonly mode: MeasuredMode,
    readonly memory: MappedMemory | undefined,
    readonly ends: RingEnd[],
    readonly file?: string,
  ) {}

  static async start(mode: MeasuredMode): Promise<RingPair> {
    const bytes = MpmcRing.bytes(SIZE, mode.elementBytes);
    if (mode.ends === "threads") {
      const ends = mode.cores === 1 ? [new WorkerEnd()] : [new WorkerEnd(), new WorkerEnd()];
      return new RingPair(mode, MappedMemory.ofProcess(bytes), ends);
    }
    const file = await Deno.makeTempFile({ dir: "/dev/shm", prefix: "culvert-bench-" });
    await Deno.truncate(file, Math.ceil(bytes / 4096) * 4096);
    return new RingPair(mode, undefined, [new ProcessEnd(file), new ProcessEnd(file)], file);
  }

  /** Nanoseconds until the last element has arrived. */
  async run(burst: number, elements: number, pauses: number): Promise<number> {
    const { mode: { mode, how, elementBytes }, memory } = this;
    const roles = this.ends.length === 1 ? ["both"] as const : ["producer", "consumer"] as const;
    const times = await Promise.all(this.ends.map((end, core) =>
      end.run({
        mode: { mode, how, elementBytes },
        memory: memory?.handle,
        size: SIZE,
        core,
        role: roles[core],
        burst,
        elements,
        pauses,
      })
    ));
    return times.at(-1)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.ends) await end.close();
    if (this.file) await Deno.remove(this.file);
    this.memory?.close();
  }
}

interface RingEnd {
  run(order: RingOrder): Promise<number>;
  close(): Promise<void>;
}

class WorkerEnd implements RingEnd {
  readonly #worker = new AskedWorker<RingOrder, number>(
    new URL("./ring_worker.ts", import.meta.url),
  );

  run(order: RingOrder): Promise<number> {
    return this.#worker.ask(order);
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#worker[Symbol.dispose]();
  }
}

class ProcessEnd implements RingEnd {
  readonly #child: Child;

  constructor(file: string) {
    const module = fileURLToPath(new URL("./ring_process.ts", import.meta.url));
    const command = [Deno.execPath(), "run", "-A", "--no-check", module, file];
    this.#child = new Child("an end of the ring", command, { endBy: "input" });
  }

  async run(order: RingOrder): Promise<number> {
    return Number(await this.#child.ask(JSON.stringify(order), /\n$/));
  }

  async close(): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
