import { fileURLToPath } from "node:url";
import type { Lab, Running } from "./lab.ts";
import type { EndReport, Order, TrafficReport, TrafficSetup } from "./traffic_process.ts";
import { waitUntil } from "./wait.ts";

export type { EndReport, TrafficReport } from "./traffic_process.ts";

const PROGRAM = fileURLToPath(new URL("./traffic_process.ts", import.meta.url));

/** V8 doubles its young generation now and then, which looks like a leak. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

/** The program that sends and checks frames, as a test's main process sees it. */
export class Traffic {
  #last: Promise<unknown> = Promise.resolve();
  #marks = 0;
  /** Called with each report: a loss is in one report only. */
  onReport: (report: TrafficReport) => void = () => {};

  private constructor(readonly running: Running) {}

  /** Start it in a network namespace; it sends nothing yet. */
  static async start(lab: Lab, netns: string, setup: TrafficSetup): Promise<Traffic> {
    const enter = ["ip", "netns", "exec", netns];
    const deno = [Deno.execPath(), "run", V8_FLAGS, "-A", "--no-check", PROGRAM];
    const running = lab.start(...enter, ...deno, JSON.stringify(setup));
    await running.stdoutLine(/^READY/);
    return new Traffic(running);
  }

  /** Tell it something, and get its report. */
  tell(order: Order = {}): Promise<TrafficReport> {
    const answer = this.#last.then(async () => {
      await this.running.write(JSON.stringify(order));
      const line = await this.running.stdoutLine(/^T /);
      const report: TrafficReport = JSON.parse(line.slice(2));
      this.onReport(report);
      return report;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** From now on see when frames arrive that were sent later than this moment. */
  async mark(): Promise<number> {
    const mark = ++this.#marks;
    await this.tell({ mark });
    return mark;
  }

  /**
   * Wait until frames that were sent after a mark have arrived at these ends, all if left out.
   *
   * @returns the seconds from the mark to the last arrival; undefined if it takes too long.
   */
  async flowing(mark: number, ends?: number[], patience?: number): Promise<number | undefined> {
    let seconds: number | undefined;
    await waitUntil(async () => {
      const { at, arrived } = (await this.tell()).marks[mark];
      const times = ends ? ends.map((end) => arrived[end]) : arrived;
      if (times.some((time) => time === null)) return false;
      seconds = Math.max(...times as number[]) - at;
      return true;
    }, patience);
    return seconds;
  }
}

/** A number of all ends added up. */
export function sumOf(
  ends: readonly EndReport[],
  key: "sent" | "received" | "bytes" | "missing" | "missed" | "foreign",
): number {
  return ends.reduce((total, end) => total + end[key], 0);
}
