import { CulvertError } from "../../ffi/error.ts";

/** How long a program may take to end after a SIGINT. */
const DETACH_MS = 5000;

/**
 * The kernel sends SIGINT to the command behind this one when the demo ends, even if it is killed.
 */
const WITH_US = ["setpriv", "--pdeathsig", "INT", "--"];

/** A program that runs beside the demo. Ends when disposed. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: string[] = [];
  readonly #shown: Promise<unknown>;
  #heard: () => void = () => {};
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
    this.#child.status.then(() => {
      this.#isEnded = true;
      this.#heard();
    });
  }

  /** Start `command`. If `isShown`, its lines are printed behind its name. */
  static start(name: string, command: readonly string[], isShown = true): Program {
    return new Program(name, command, isShown);
  }

  /**
   * Wait until the program prints a line that matches.
   *
   * @throws {CulvertError} if it ends before, or does not print one in time.
   */
  async says(what: RegExp, milliseconds: number): Promise<void> {
    const deadline = performance.now() + milliseconds;
    while (!this.#lines.some((line) => what.test(line))) {
      const left = deadline - performance.now();
      if (this.#isEnded) throw new CulvertError(`Cannot go on as ${this.name} has ended`);
      if (left <= 0) {
        throw new CulvertError(
          `Cannot go on as ${this.name} has not said ${what} within ${milliseconds / 1000} s`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#heard = () => {
          clearTimeout(timer);
          resolve();
        };
      });
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
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line.trimEnd());
    }
    if (rest !== "") this.#hear(rest);
  }

  #hear(line: string): void {
    if (line === "") return;
    if (this.isShown) console.log(`  ${this.name.padEnd(7)}| ${line}`);
    this.#lines.push(line);
    this.#heard();
  }
}
