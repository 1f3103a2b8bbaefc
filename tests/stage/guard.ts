import type { Second } from "./report.ts";
import { sumOf, type TrafficReport } from "../kit/traffic.ts";
import { MBUFS, type Stage } from "./stage.ts";
import { zombiesOf } from "../kit/processes.ts";
import { waitUntil } from "../kit/wait.ts";
import { growthOf, type Sample, sample } from "./watch.ts";

/** Mbufs that are not free at rest: in an lcore's cache, and in the slots of each port. */
const CACHED = 512, IN_PORT = 32, IN_XDP_PORTS = MBUFS / 2;

/** Milliseconds that a process may take to wait for one that has ended. */
const REAP_MS = 2000;

/** Watches the stage's processes and mbufs. */
export class Guard {
  /** All that was seen. */
  readonly seconds: Second[] = [];
  readonly #samples: Sample[] = [];

  /** `traffic` is the process that sends. */
  constructor(private readonly stage: Stage, private readonly traffic: number) {}

  /** Look while nothing is under way; what is wrong, in words. */
  async atRest(at: number): Promise<string[]> {
    const { stage } = this;
    const problems: string[] = [];
    const all = [...stage.roles(), ["traffic", this.traffic] as const];
    for (const [role, pid] of all) if (pid === undefined) problems.push(`there is no ${role}`);
    const roles = this.#roles();
    const parents = [Deno.pid, ...roles.map(([, pid]) => pid)];
    const zombies = zombiesOf(parents); // some may have ended this moment
    const isWaitedFor = () => zombiesOf(parents).every((pid) => !zombies.includes(pid));
    if (!await waitUntil(isWaitedFor, REAP_MS)) problems.push(`there are zombies: ${zombies}`);
    const free = stage.counts.inspect().host?.mbufsFree ?? 0;
    const ports = 2 * stage.pairs.length + 1;
    const inPorts = ports * IN_PORT + (stage.isXdp ? IN_XDP_PORTS : 0);
    if (free < MBUFS - stage.lcores * CACHED - inPorts) {
      problems.push(`${free} of ${MBUFS} mbufs are free`);
    }
    for (const [role, pid] of roles) {
      const found = sample(at, role, pid);
      if (found) this.#samples.push({ ...found, server: stage.serverPid() });
    }
    return problems;
  }

  /** Look once a second: what the plot shows. */
  enterSecond(at: number, before: TrafficReport, now: TrafficReport): void {
    const samples = this.#roles().map(([role, pid]) => sample(at, role, pid))
      .filter((found) => found !== undefined);
    const rate = (key: "received" | "missing") =>
      (sumOf(now.ends, key) - sumOf(before.ends, key)) / (now.now - before.now);
    this.seconds.push({
      at,
      frames: rate("received"),
      missing: rate("missing"),
      memory: Object.fromEntries(samples.map(({ role, memory }) => [role, memory])),
      descriptors: Object.fromEntries(samples.map(({ role, descriptors }) => [role, descriptors])),
      mbufsFree: this.stage.counts.inspect().host?.mbufsFree ?? 0,
    });
  }

  /** What has grown from one rest to another, in words. */
  growth(): string[] {
    return growthOf(this.#samples);
  }

  /** Processes that are watched. */
  #roles(): [string, number][] {
    const all = [...this.stage.roles(), ["traffic", this.traffic] as const];
    return all.filter((role): role is [string, number] => role[1] !== undefined);
  }
}
