import { CulvertError } from "../../ffi/error.ts";
import { stdout } from "../linux/output.ts";

/** Milliseconds that a program may take to end after a SIGINT. */
const DETACH_MS = 5000;

/** Milliseconds between two looks whether a program has done what we wait for. */
const LOOK_MS = 50;

/**
 * Put before a command: the kernel sends it SIGINT when the demo ends, even if the demo is killed.
 */
export const WITH_US: readonly string[] = ["setpriv", "--pdeathsig", "INT", "--"];

/** A program that runs beside the demo. Ends when disposed. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #shown: Promise<unknown>;
  #isEnded = false;

  private constructor(
    readonly name: string,
    command: readonly string[],
    private readonly isShown: boolean,
  ) {
    const [program, ...args] = [...WITH_US, ...command];
    const io = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
    this.#child = new Deno.Command(program, { args, ...io }).spawn();
    this.#shown = Promise.all([this.#show(this.#child.stdout), this.#show(this.#child.stderr)]);
    this.#child.status.then(() => this.#isEnded = true);
  }

  /** Start `command`. If `isShown`, its lines are printed behind its name. */
  static start(name: string, command: readonly string[], isShown = true): Program {
    return new Program(name, command, isShown);
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Wait until the program has done something: until `isDone()`, which is asked some times a
   * second. What the program prints of it is shown before this returns.
   *
   * @param what What it is to do: `listen`.
   * @throws {CulvertError} if the program ends before, or does not do it in time.
   */
  async does(what: string, milliseconds: number, isDone: () => boolean): Promise<void> {
    const deadline = performance.now() + milliseconds;
    for (let isIt = false; !isIt;) {
      if (this.#isEnded) throw new CulvertError(`Cannot go on as ${this.name} has ended`);
      isIt = isDone();
      if (!isIt && performance.now() > deadline) {
        throw new CulvertError(
          `Cannot go on as ${this.name} does not ${what} within ${milliseconds / 1000} s`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /**
   * Wait until the program ends by itself.
   *
   * @throws {CulvertError} if its exit status is not 0.
   */
  async ends(): Promise<void> {
    const { success, code } = await this.#child.status;
    await this.#shown;
    if (!success) throw new CulvertError(`Cannot go on as ${this.name} failed with status ${code}`);
  }

  /** Send SIGINT to the program, and SIGKILL if it has not ended after 5 s. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnded) this.#child.kill("SIGINT");
    const late = setTimeout(() => this.#isEnded || this.#child.kill("SIGKILL"), DETACH_MS);
    await this.#child.status;
    clearTimeout(late);
    await this.#shown;
  }

  async #show(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#showLine(line.trimEnd());
    }
    this.#showLine(rest);
  }

  #showLine(line: string): void {
    if (line !== "" && this.isShown) stdout.line(`  ${this.name.padEnd(7)}| ${line}`);
  }
}
