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
   * With no flag to raise yet.
   *
   * @param lanes The lcore sleeps only while none of these has work,
   * @param gates and none of these has changed.
   * @param eventfds Of the lcore's vector in each of its regions; undefined where there is none.
   * @param more What may be rung too.
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

  /** Raise the flag at `word` of a region too, which a guest answers by ringing `vector`. */
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
