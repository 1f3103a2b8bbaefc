import type { Log } from "../linux/log.ts";
import { LcoreWorker } from "../lcore/lcore.ts";
import type { Preparation } from "./function/prepare.ts";
import type { Functions } from "./function/load.ts";
import type { Guest } from "./guest.ts";
import type { GuestLcoreHandle, Saved } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";

/** Milliseconds that functions may take to be loaded and tried, which no lcore waits for. */
const LOADING_MS = 10_000;

/** Ports of the trial while the guest has none. */
const PORTS = 2;

/** Makes the Worker of an lcore: it loads the functions. */
export function lcoreWorker(
  lcoreUrl: URL,
  core: number,
  log: Log,
  preparation: Preparation,
): LcoreWorker<GuestLcoreHandle, Saved> {
  return new LcoreWorker(lcoreUrl, core, log, preparation);
}

/** Lets the functions of a guest be followed by new versions of their files. */
export class FunctionSwapper {
  #version = 0;
  #isBusy = false;
  /** What was saved while a swap was under way. */
  #again?: string;

  /** Make Workers of `lcoreUrl`; `log` is told what becomes of each version. */
  constructor(
    private readonly guest: Guest,
    private readonly lcoreUrl: URL,
    private readonly options: GuestOptions,
    private readonly log: Log,
  ) {}

  /** File `name` was saved: load all functions anew, try them, and let them take over. */
  async swap(name: string): Promise<void> {
    if (this.#isBusy) {
      this.#again = name;
      return;
    }
    this.#isBusy = true;
    await this.#swap(name);
    this.#isBusy = false;
    const again = this.#again;
    this.#again = undefined;
    if (again !== undefined) await this.swap(again);
  }

  async #swap(name: string): Promise<void> {
    const began = performance.now();
    const { functions: specs, cores } = this.options;
    const version = ++this.#version;
    const preparation = { specs, version, ports: this.guest.ports ?? PORTS };
    const threads = cores.map((core) => lcoreWorker(this.lcoreUrl, core, this.log, preparation));
    try {
      const ready = Promise.all(threads.map(({ ready }) => ready as Promise<Functions>));
      const [functions] = await withinMs(ready, LOADING_MS);
      const { lost, pauseMs } = await this.guest.swap({ functions, threads });
      const ms = Math.ceil(performance.now() - began);
      const pause = Math.ceil(pauseMs);
      this.log(
        `swapped ${name} in ${ms} ms, ${lost} frames lost, forwarding paused for ${pause} ms`,
      );
    } catch (error) {
      for (const thread of threads) thread.close();
      this.log(`kept the version that was there, not ${name}: ${(error as Error).message}`, {
        level: "error",
      });
    }
  }
}

/** What `promise` gives, or an error once so many milliseconds have passed. */
async function withinMs<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `it has not been loaded and tried within ${ms / 1000} s`;
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
