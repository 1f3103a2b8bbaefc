import { fileURLToPath } from "node:url";
import type { Lab, Running } from "../kit/lab.ts";
import type { LeakReport, LeakWatchSetup } from "./leak_watch_process.ts";

const PROGRAM = fileURLToPath(new URL("leak_watch_process.ts", import.meta.url));

/** The program that looks at all that leaves by the ports under attack, as a test sees it. */
export class LeakWatch {
  private constructor(private readonly running: Running) {}

  /** Start it in a network namespace; from now on attackers are fed. */
  static async start(lab: Lab, netns: string, setup: LeakWatchSetup): Promise<LeakWatch> {
    const deno = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM];
    const running = lab.start("ip", "netns", "exec", netns, ...deno, JSON.stringify(setup));
    await running.stdoutLine(/^READY/);
    return new LeakWatch(running);
  }

  /** What it has found until now, by link. */
  async report(): Promise<LeakReport[]> {
    await this.running.write("");
    return JSON.parse((await this.running.stdoutLine(/^L /)).slice(2));
  }
}
