import { MappedMemory } from "../ffi/mapped_memory.ts";
import { AskedWorker } from "./asked_worker.ts";
import type { LineOrder } from "./line_latency_worker.ts";

const TURNS = 20_000;
const BYTES = 4096;

/**
 * How quickly a cache line travels between cores 0 and 1 just now. In virtual machines that changes
 * every few minutes: figures taken while lines are near do not compare with figures taken while
 * they are far.
 */
export class LineLatency implements Disposable {
  readonly #memory = MappedMemory.ofProcess(BYTES);
  readonly #ends = [0, 1].map(() =>
    new AskedWorker<LineOrder, number>(new URL("./line_latency_worker.ts", import.meta.url))
  );
  #runs = 0;

  /** Nanoseconds until a line that was written by this core comes back written by the other. */
  async measure(): Promise<number> {
    const base = this.#runs++ * TURNS * 2;
    const { handle: memory } = this.#memory;
    const [nanoseconds] = await Promise.all(
      this.#ends.map((end, core) => end.ask({ memory, core, turns: TURNS, base })),
    );
    return Math.round(nanoseconds / TURNS);
  }

  /** End its Workers. */
  [Symbol.dispose](): void {
    for (const end of this.#ends) end[Symbol.dispose]();
  }
}

/**
 * Most nanoseconds of a line that is near: of those that were seen, some took 130 to 350, and the
 * others more than 475.
 */
const NEAR_NS = 400;

/** The same in a word. */
export function distanceOf(lineNs: number): "near" | "far" {
  return lineNs <= NEAR_NS ? "near" : "far";
}
