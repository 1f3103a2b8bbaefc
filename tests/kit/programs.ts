import assert from "node:assert/strict";
import { type Ended, Running } from "./running.ts";
import { PATIENCE_MS } from "./wait.ts";

/** Programs of one test, under names of its own; they end with it. */
export class Programs implements AsyncDisposable {
  /** Makes names unique: 7 letters and digits. */
  readonly id: string;

  readonly #processes: Running[] = [];
  #made = 0;

  /** None yet. */
  constructor() {
    const random = crypto.getRandomValues(new Uint32Array(1))[0];
    this.id = `${(random % 36 ** 4).toString(36).padStart(4, "0")}${
      (Deno.pid % 36 ** 3).toString(36).padStart(3, "0")
    }`;
  }

  /** A name that nobody else uses, fit for interfaces: `prefix` may have 5 letters. */
  name(prefix: string): string {
    return `${prefix}${this.id}${(this.#made++).toString(36)}`;
  }

  /** Start any program; it ends with the lab at the latest. */
  start(...command: string[]): Running {
    const running = new Running(command);
    this.#processes.push(running);
    return running;
  }

  /** Run a program to its end. */
  run(...command: string[]): Promise<Ended> {
    return this.tryRun(...command).then((ended) => {
      const said = `${command.join(" ")} ended with ${ended.code}: ${ended.stderr}${ended.stdout}`;
      assert.equal(ended.code, 0, said);
      return ended;
    });
  }

  /** Run a program to its end, however it ends. */
  tryRun(...command: string[]): Promise<Ended> {
    return this.start(...command).ended(3 * PATIENCE_MS);
  }

  /** Run a program in a network namespace to its end. */
  inNamespace(netns: string, ...command: string[]): Promise<Ended> {
    return this.run("ip", "netns", "exec", netns, ...command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#processes) running.kill("SIGKILL");
    await Promise.all(this.#processes.map((running) => running.ended(PATIENCE_MS).catch(() => {})));
  }
}
