import type { Second } from "./soak_report.ts";
import { MBUFS, PAIRS, type Stage } from "./stage.ts";
import type { TrafficReport } from "./traffic_process.ts";
import { zombiesOf } from "../kit/processes.ts";
import { growthOf, type Sample, sample } from "./watch.ts";

/** Mbufs that are not free at rest: an lcore's cache, and 32 slots of each port. */
const AT_REST = 512 + 2 * PAIRS * 32;

/** Watches the stage's processes and mbufs. */
export class Guard {
  /** All that was seen. */
  readonly seconds: Second[] = [];
  readonly #samples: Sample[] = [];

  /** `traffic` is the process that sends. */
  constructor(private readonly stage: Stage, private readonly traffic: number) {}

  /** Look while nothing is under way; what is wrong, in words. */
  atRest(at: number): string[] {
    const { stage } = this;
    const problems: string[] = [];
    const missing = stage.missing();
    if (missing.length > 0) problems.push(`there is no ${missing.join(", no ")}`);
    const roles = this.#roles();
    const zombies = zombiesOf([Deno.pid, ...roles.map(([, pid]) => pid)]);
    if (zombies.length > 0) problems.push(`there are zombies: ${zombies}`);
    const free = stage.inspect().host?.mbufsFree ?? 0;
    if (free < MBUFS - AT_REST) problems.push(`${free} of ${MBUFS} mbufs are free`);
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
    const sum = ({ flows }: TrafficReport, key: "received" | "missing") =>
      flows.reduce((total, flow) => total + flow[key], 0);
    this.seconds.push({
      at,
      frames: (sum(now, "received") - sum(before, "received")) / (now.now - before.now),
      missing: (sum(now, "missing") - sum(before, "missing")) / (now.now - before.now),
      memory: Object.fromEntries(samples.map(({ role, memory }) => [role, memory])),
      descriptors: Object.fromEntries(samples.map(({ role, descriptors }) => [role, descriptors])),
      mbufsFree: this.stage.inspect().host?.mbufsFree ?? 0,
    });
  }

  /** What has grown from one rest to another, in words. */
  growth(): string[] {
    return growthOf(this.#samples);
  }

  /** Processes that are watched. */
  #roles(): [string, number][] {
    return [...this.stage.roles(), ["traffic", this.traffic]];
  }
}
