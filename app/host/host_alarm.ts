import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { SleepFlag } from "../channel/sleep_flag.ts";
import type { Alarm } from "../lcore/idle.ts";
import type { GateFollower } from "./gate.ts";
import type { Lane } from "./lane.ts";

/** What wakes a host's lcore: its guests, when they have sent or given back something. */
export class HostAlarm implements Alarm {
  readonly fds: readonly number[];
  readonly #hasVectors: boolean;
  readonly #flags: SleepFlag[] = [];

  /**
   * An alarm without flags: see {@linkcode add}.
   *
   * @param lanes The lcore sleeps only while none of these has work.
   * @param gates The lcore sleeps only while none of these has changed.
   * @param eventfds The eventfd of the lcore's vector in each of its regions; undefined where there
   * is none.
   * @param more Further eventfds that wake the lcore.
   */
  constructor(
    private readonly lanes: readonly Lane[],
    private readonly gates: readonly GateFollower[],
    eventfds: readonly (number | undefined)[],
    more: readonly number[] = [],
  ) {
    const rung = eventfds.filter((fd) => fd !== undefined);
    this.fds = [...rung, ...more];
    this.#hasVectors = rung.length === eventfds.length;
  }

  get canNotify(): boolean {
    return this.#hasVectors && this.gates.every((gate) => !gate.isOpen || gate.notifies);
  }

  get hasPeers(): boolean {
    return this.gates.some((gate) => gate.isOpen);
  }

  /** Also raise the flag at `word` of a region: a guest that sees it rings `vector`. */
  add(memory: MappedMemory, word: number, vector: number): void {
    this.#flags.push(new SleepFlag(memory, word, this.#hasVectors ? vector : undefined));
  }

  raise(): void {
    for (const flag of this.#flags) flag.raise();
  }

  lower(): void {
    for (const flag of this.#flags) flag.lower();
  }

  hasWork(): boolean {
    return this.gates.some((gate) => gate.hasNews) || this.lanes.some((lane) => lane.hasWork);
  }
}
