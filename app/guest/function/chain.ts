import type { Log } from "../../linux/log.ts";
import type { FunctionContext } from "./context.ts";
import type { FrameBurst } from "./frame_burst.ts";
import { type Frames, MisuseError } from "./frames.ts";
import { placeIn } from "./place.ts";
import { type FrameFunction, withoutFlag } from "./function_module.ts";
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

/** A lane, as functions work on its burst: see {@linkcode Chain.run}. */
export interface LaneBurst {
  /** What functions see of the burst. */
  readonly seen: FrameBurst;
  /** What they do to it. */
  readonly frames: Frames;
  /** Free the frames that are marked to be dropped. */
  release(): void;
}

/** Milliseconds between two lines about a function that throws. */
const AGAIN_MS = 1000;

/** The functions of one lcore, in order: each gets the frames that the one before has kept. */
export class Chain {
  /** How often a function has thrown, or done to frames what cannot be sent. */
  failures = 0;
  /** The last error that a function has thrown, or that was found in what it did. */
  thrown?: unknown;
  /** The first one. */
  firstFailure?: { readonly error: unknown };
  /** The functions that work on bursts, and their numbers among all. */
  readonly #functions: readonly FrameFunction[];
  readonly #numbers: readonly number[];
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
    this.#numbers = links.flatMap(({ run }, i) => run ? [i] : []);
  }

  /**
   * Run all functions on the burst of a lane: marks then say what becomes of each frame. Frames
   * that are marked to be dropped are released before the next function, which does not see them.
   *
   * @returns frames that are to be dropped as their function has failed.
   * @throws what a function throws, if that is to stop the guest.
   */
  run(lane: LaneBurst): number {
    const functions = this.#functions;
    const { seen, frames } = lane;
    let failed = 0;
    for (let i = 0; i < functions.length; i++) {
      const count = frames.count;
      this.progress.enter(this.#numbers[i]);
      frames.enter();
      seen.show(count);
      try {
        functions[i](seen);
        if (seen.count !== frames.count) frames.refuseCount(seen.count);
        if (frames.areWordsKnown) frames.checkWords();
      } catch (error) {
        this.#tell(this.#numbers[i], error);
        return failed + frames.giveUp(count, this.onError === "pass");
      }
      if (frames.isResized || frames.areWordsKnown) {
        failed += frames.dropUnsendable((error) => this.#tell(this.#numbers[i], error));
      }
      if (frames.isMarked && i + 1 < functions.length) lane.release();
    }
    this.progress.leave();
    return failed;
  }

  /** Whether a function wants to be called at intervals. */
  get hasTimers(): boolean {
    return this.links.some(({ context }) => context.hasTimers);
  }

  /**
   * Call what is due. `now` is the time in milliseconds.
   *
   * @throws what is thrown, if that is to stop the guest.
   */
  tick(now: number): void {
    for (let i = 0; i < this.links.length; i++) {
      const { context } = this.links[i];
      if (!context.hasTimers) continue;
      this.progress.call(i);
      try {
        context.tick(now);
      } catch (error) {
        this.#tell(i, error);
      }
      this.progress.leave();
    }
  }

  /** A function has thrown, or done to frames what cannot be sent. */
  #tell(i: number, error: unknown): void {
    this.progress.leave();
    this.failures++;
    this.thrown = error;
    this.firstFailure ??= { error };
    const { name } = this.links[i];
    const now = this.links[0].context.now;
    if (now - this.#toldAt >= AGAIN_MS) {
      const times = this.failures - this.#told;
      this.#told = this.failures;
      this.#toldAt = now;
      const what = error instanceof MisuseError ? "failed" : "thrown";
      this.log(
        `function ${name} has ${what}${times > 1 ? ` ${times} times` : ""}: ${told(error)}`,
        {
          level: "warning",
        },
      );
    }
    if (this.onError === "stop") throw error;
  }
}

/** What was thrown, and where in which file. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = placeIn(error);
  return `${withoutFlag(error.message)}${place ? ` ${place}` : ""}`;
}
