import type { Log } from "../../linux/log.ts";
import type { FunctionContext } from "./context.ts";
import type { FrameBurst } from "./frame_burst.ts";
import { type FrameFunction, withoutFlag, withoutVersion } from "./function_module.ts";
import { Progress } from "./progress.ts";

/** What becomes of frames whose function has thrown. */
export type OnError = "pass" | "drop" | "stop";

/** A function in one lcore. */
export interface ChainLink {
  /** What logs call it. */
  readonly name: string;
  /** What is done to a burst; none for a file that only sets up. */
  readonly run: FrameFunction | undefined;
  /** What it was given, and its timers. */
  readonly context: FunctionContext;
}

/** See {@linkcode Chain.run}. */
export interface Release {
  /** Free what is marked. */
  release(): void;
}

/** Milliseconds between two lines about a function that throws. */
const AGAIN_MS = 1000;

/** The functions of one lcore, in order: each gets the frames that the one before has kept. */
export class Chain {
  /** Bursts in which a function has thrown. */
  failures = 0;
  readonly #functions: readonly FrameFunction[];
  #told = 0;
  #toldAt = -AGAIN_MS;

  /**
   * Functions that were set up.
   *
   * @param originates Whether bursts without frames are to be passed on as well.
   * @param onError What becomes of frames whose function has thrown.
   * @param offloads Whether bursts may have super-frames in them.
   */
  constructor(
    private readonly links: readonly ChainLink[],
    readonly originates: boolean,
    private readonly onError: OnError,
    private readonly log: Log,
    private readonly progress: Progress = new Progress(),
    readonly offloads = false,
  ) {
    this.#functions = links.flatMap(({ run }) => run ?? []);
  }

  /**
   * Run all functions on a burst, whose marks then say what becomes of each frame.
   *
   * @param release Frees the frames that are marked to be dropped, so that the next function does
   * not see them.
   * @returns frames that are to be dropped as their function has failed.
   * @throws what a function throws, if that is to stop the guest.
   */
  run(burst: FrameBurst, release: Release): number {
    const functions = this.#functions;
    for (let i = 0; i < functions.length; i++) {
      const count = burst.count;
      this.progress.enter(i);
      try {
        functions[i](burst);
      } catch (error) {
        return this.#fail(burst, count, i, error);
      }
      if (burst.isMarked && i + 1 < functions.length) release.release();
    }
    this.progress.leave();
    return 0;
  }

  /** Call what is due. `now` is the time in milliseconds. */
  tick(now: number): void {
    for (const { context } of this.links) context.tick(now);
  }

  /** A function has thrown that was given `count` frames. */
  #fail(burst: FrameBurst, count: number, i: number, error: unknown): number {
    this.progress.leave();
    this.failures++;
    const { name } = this.links.filter(({ run }) => run)[i];
    const now = this.links[0].context.now;
    if (now - this.#toldAt >= AGAIN_MS) {
      const times = this.failures - this.#told;
      this.#told = this.failures;
      this.#toldAt = now;
      this.log(`function ${name} has thrown${times > 1 ? ` ${times} times` : ""}: ${told(error)}`, {
        level: "warning",
      });
    }
    if (this.onError === "stop") throw error;
    return burst.giveUp(count, this.onError === "pass");
  }
}

/** What was thrown, and where in which file. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const places = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const place = places.find((line) => !/app\/guest\/(function|headers)\//.test(line)) ?? places[0];
  return withoutVersion(`${withoutFlag(error.message)}${place ? ` ${place.trim()}` : ""}`);
}
