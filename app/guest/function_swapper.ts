import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import { isWhole } from "../channel/push_box.ts";
import { PUSH_STATE } from "../memory/layout.ts";
import type { Push } from "./attachment.ts";
import { nameOf } from "./function/function_name.ts";
import type { Functions, FunctionSpec } from "./function/load.ts";
import type { Preparation } from "./function/prepare.ts";
import { Progress, PROGRESS_BYTES } from "./function/progress.ts";
import type { Guest } from "./guest.ts";
import type { GuestOptions } from "./guest_options.ts";
import { decodePushed, placeOf, type PushedFunction, stemOf } from "./pushed_function.ts";
import { SpareThreads } from "./spare_threads.ts";
import { whileMoving } from "./standstill.ts";

/** Milliseconds that functions may take to be loaded, which no lcore waits for. */
const LOADING_MS = 60_000;

/** Ports of the trial while the guest has none. */
const PORTS = 2;

/** Replaces the functions of a guest by others: new versions of files, or pushed ones. */
export class FunctionSwapper {
  readonly #spares: SpareThreads;
  /** How many swaps were asked for and are not done. */
  #pending = 0;
  /** The functions that are at work, or were meant to be. */
  #specs: readonly FunctionSpec[];
  /** Files that were saved since the last swap for that began. */
  #saved?: { name: string; readonly functions: Set<number> };
  /** The last push, until its turn comes. Only one waits, as it may hold a megabyte. */
  #pushed?: Push;
  /** Settles when all swaps that were asked for are done. */
  #last: Promise<unknown> = Promise.resolve();

  /** Make Workers of `lcoreUrl`; `log` is told what becomes of each version. */
  constructor(
    private readonly guest: Guest,
    lcoreUrl: URL,
    private readonly options: GuestOptions,
    private readonly log: Log,
  ) {
    this.#specs = options.functions;
    this.#spares = new SpareThreads(lcoreUrl, options.cores, log);
  }

  /** Begin to make the threads of the next version, unless one is just about to take over. */
  getReady(): void {
    if (this.#pending === 0) this.#spares.provide();
  }

  /** Swap no more. */
  close(): void {
    this.#spares.close();
  }

  /** File `name` of these functions was saved: load all anew, try them, and let them take over. */
  reload(name: string, functions: readonly number[]): void {
    if (this.#saved !== undefined) {
      this.#saved.name = name;
      for (const index of functions) this.#saved.functions.add(index);
      return;
    }
    this.#saved = { name, functions: new Set(functions) };
    this.#queue(async () => {
      const { name, functions } = this.#saved!;
      this.#saved = undefined;
      const files = this.options.functions; // a saved file replaces what was pushed, too
      await this.#swap(name, this.#specs.map((spec, i) => functions.has(i) ? files[i] : spec));
    });
  }

  /**
   * Something was pushed: try it, let it take over, and answer. A push that still waits gives way
   * to it.
   */
  take(push: Push): void {
    const waiting = this.#pushed;
    this.#pushed = push;
    if (waiting !== undefined) {
      waiting.answer(
        PUSH_STATE.REFUSED,
        "Cannot take what was pushed as another was pushed before its turn came: push again",
      );
      return;
    }
    this.#queue(async () => {
      const push = this.#pushed!;
      this.#pushed = undefined;
      try {
        if (!await isWhole(push.text)) {
          throw new CulvertError("Cannot take what was pushed as its hash is another: push again");
        }
        const pushed = decodePushed(push.text.bytes!);
        push.answer(PUSH_STATE.DONE, await this.#swap(pushed.name, this.#withPushed(pushed)));
      } catch (error) {
        push.answer(PUSH_STATE.REFUSED, (error as Error).message);
      }
    });
  }

  #queue(work: () => Promise<void>): void {
    this.#pending++;
    this.#last = this.#last.then(work).catch(() => {}) // the log and the pusher know why
      .then(() => this.#pending--);
  }

  #withPushed(pushed: PushedFunction): FunctionSpec[] {
    const specs = [...this.#specs];
    const place = placeOf(pushed, specs.map(({ named }) => named));
    const { named, set } = specs[place];
    const isSame = stemOf(named) === stemOf(pushed.name);
    const { name, text } = pushed;
    specs[place] = { named: name, text, set: pushed.set ?? (isSame ? set : {}) };
    return specs;
  }

  /** Let functions take over; returns what the log is told. */
  async #swap(name: string, specs: readonly FunctionSpec[]): Promise<string> {
    try {
      const files = specs.flatMap(({ named, text }) => text === undefined ? [named] : []);
      await this.options.checkTypes?.(files);
      const line = `swapped ${name} ${await this.#load(specs)}`;
      this.#specs = specs;
      this.log(line);
      return line;
    } catch (error) {
      this.log(`kept the version that was there, not ${name}: ${(error as Error).message}`, {
        level: "error",
      });
      throw error;
    }
  }

  /** Load functions in new threads, try them, and let them take over; returns how it went. */
  async #load(specs: readonly FunctionSpec[]): Promise<string> {
    const began = performance.now();
    const ports = this.guest.forwarding?.ports ?? PORTS;
    const progress = new SharedArrayBuffer(PROGRESS_BYTES);
    const { trial, lcores: threads } = this.#spares.take();
    trial.prepare({ specs, trial: { ports, progress } } satisfies Preparation);
    for (const thread of threads) thread.prepare({ specs } satisfies Preparation);
    try {
      const ready = Promise.all(
        [trial, ...threads].map(({ ready }) => ready as Promise<Functions>),
      );
      const names = specs.map(({ named, text }) => text === undefined ? nameOf(named) : named);
      const [functions] = await whileMoving(ready, [new Progress(progress)], names, LOADING_MS);
      const { lost, pauseMs } = await this.guest.swap({ functions, threads });
      return `in ${Math.ceil(performance.now() - began)} ms, ${lost} frames lost, ` +
        `forwarding paused for ${Math.ceil(pauseMs)} ms`;
    } catch (error) {
      if (!this.guest.forwarding?.isStarting(threads)) {
        for (const thread of threads) thread.close();
      }
      throw error;
    } finally {
      trial.close();
    }
  }
}
