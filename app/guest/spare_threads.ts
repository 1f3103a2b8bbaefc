import { LcoreWorker } from "../lcore/lcore.ts";
import type { Log } from "../linux/log.ts";
import type { GuestLcoreHandle, Saved } from "./guest_lcore.ts";

/** The Worker of a guest's lcore. */
export type GuestWorker = LcoreWorker<GuestLcoreHandle, Saved>;

/**
 * Threads for functions that take over: all is loaded but the functions. Loading takes 100 ms, in
 * an emulated VM some seconds.
 */
export class SpareThreads {
  #threads: readonly GuestWorker[] = [];

  /**
   * None yet.
   *
   * @param lcoreUrl The module of the lcores.
   * @param cores The cores of the lcores.
   * @param log Told what their functions log.
   */
  constructor(
    private readonly lcoreUrl: URL,
    private readonly cores: readonly number[],
    private readonly log: Log,
  ) {}

  /** Begin to make the threads that are missing. */
  provide(): void {
    if (this.#threads.length === 0) this.#threads = this.#make();
  }

  /** A thread for a trial, and one for each lcore. */
  take(): { trial: GuestWorker; lcores: readonly GuestWorker[] } {
    const [trial, ...lcores] = this.#threads.length > 0 ? this.#threads : this.#make();
    this.#threads = [];
    return { trial, lcores };
  }

  /** End those that were not taken. */
  close(): void {
    for (const thread of this.#threads) thread.close();
    this.#threads = [];
  }

  #make(): GuestWorker[] {
    const [first] = this.cores;
    return [first, ...this.cores].map((core) => new LcoreWorker(this.lcoreUrl, core, this.log));
  }
}
