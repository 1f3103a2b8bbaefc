import { fileURLToPath } from "node:url";
import type { Lab, Running } from "../kit/lab.ts";
import type { Order, TrafficReport, TrafficSetup } from "./traffic_process.ts";

const PROGRAM = fileURLToPath(new URL("traffic_process.ts", import.meta.url));

/** V8 doubles its young generation now and then, which looks as if something leaked. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

/** Takes a report's losses: a report tells each once. */
export type OnReport = (report: TrafficReport) => void;

/** The program that sends frames and checks them, as the soak's main process sees it. */
export class Traffic {
  #last: Promise<unknown> = Promise.resolve();
  #marks = 0;
  #onReport: OnReport = () => {};

  private constructor(readonly running: Running) {}

  /** Start it in a network namespace; it sends nothing yet. */
  static async start(lab: Lab, netns: string, setup: TrafficSetup): Promise<Traffic> {
    const enter = ["ip", "netns", "exec", netns];
    const deno = [Deno.execPath(), "run", V8_FLAGS, "-A", "--no-check", PROGRAM];
    const running = lab.start(...enter, ...deno, JSON.stringify(setup));
    await running.stdoutLine(/^READY/);
    return new Traffic(running);
  }

  /** Who is given each report. */
  set onReport(onReport: OnReport) {
    this.#onReport = onReport;
  }

  /** Tell it something, and hear how it stands. */
  tell(order: Order = {}): Promise<TrafficReport> {
    const answer = this.#last.then(async () => {
      await this.running.write(JSON.stringify(order));
      const line = await this.running.stdoutLine(/^T /);
      const report: TrafficReport = JSON.parse(line.slice(2));
      this.#onReport(report);
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
}
