import { MappedMemory } from "../ffi/mapped_memory.ts";
import { AskedWorker } from "./asked_worker.ts";
import type { MoodOrder } from "./mood_worker.ts";

const TURNS = 20_000;
const BYTES = 4096;

/**
 * How quickly a cache line travels between cores 0 and 1 just now. Virtual machines have moods that
 * last for minutes: a figure of one cannot be compared with a figure of another.
 */
export class Mood implements Disposable {
  readonly #memory = MappedMemory.ofProcess(BYTES);
  readonly #ends = [0, 1].map(() =>
    new AskedWorker<MoodOrder, number>(new URL("./mood_worker.ts", import.meta.url))
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
 * Up to here lines travel quickly: of the moods that were seen, one is 130 to 350, one above 475.
 */
const NEAR_NS = 400;

/** The mood in a word. */
export function moodOf(lineNs: number): "near" | "far" {
  return lineNs <= NEAR_NS ? "near" : "far";
}
