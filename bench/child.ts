import { CulvertError } from "../ffi/error.ts";
import { isStopping, SILENCE_SECONDS, within } from "./waiting.ts";

/** How long a program may take to end after it was asked to, before it is killed. */
const GRACE_MS = 5000;

/** What is kept of what a program says, in characters. */
const KEPT = 1 << 16;

/** How a program is started and ended. */
export interface ChildOptions {
  /** Its working directory. */
  readonly cwd?: string;
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** How it is asked to end: by the end of its input, or by a signal. Default `SIGTERM`. */
  readonly endBy?: "input" | Deno.Signal;
  /** Whether it is asked by its input. Default only if it ends by that. */
  readonly hasInput?: boolean;
  /** Which of its outputs is heard. Default `stdout`. */
  readonly heard?: "stdout" | "stderr";
}

/**
 * A program that the bench starts and ends. It never outlives the bench, however that ends:
 * `setpriv --pdeathsig` kills it. Whoever waits for it fails with its last lines if it ends or is
 * silent.
 */
export class Child implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #input?: WritableStreamDefaultWriter<Uint8Array>;
  readonly #endBy: "input" | Deno.Signal;
  readonly #closed: Promise<Deno.CommandStatus>;
  readonly #ended: Promise<never>;
  #unheard = "";
  #all = "";
  #hasEnded = false;
  #onOutput = () => {};

  /**
   * Start it.
   *
   * @param name What it is called in messages.
   * @param command Program and arguments; what precedes the program itself must `exec` it.
   */
  constructor(name: string, command: readonly string[], options: ChildOptions = {}) {
    this.#name = name;
    this.#endBy = options.endBy ?? "SIGTERM";
    const hasInput = options.hasInput ?? this.#endBy === "input";
    this.#child = new Deno.Command("setpriv", {
      args: ["--pdeathsig", "KILL", ...command],
      cwd: options.cwd,
      env: options.env,
      stdin: hasInput ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (hasInput) this.#input = this.#child.stdin.getWriter();
    const read = Promise.all([
      this.#read(this.#child.stdout, options.heard !== "stderr"),
      this.#read(this.#child.stderr, options.heard === "stderr"),
      this.#child.status,
    ]);
    this.#closed = read.then(([, , status]) => status).finally(() => {
      this.#hasEnded = true;
      this.#onOutput();
    });
    this.#ended = this.#closed.then(({ code, signal }) => {
      throw this.#error(`it ended, ${signal ?? `status ${code}`}`);
    });
    this.#ended.catch(() => {/* whoever waits is told */});
  }

  /** What it said last, on both outputs, as the end of a message. */
  get lastLines(): string {
    const lines = this.#all.trim().split("\n").slice(-12).join("\n").slice(-1500);
    return lines && `. Its last lines:\n${lines}`;
  }

  /**
   * Wait for something that only comes while the program runs.
   *
   * @throws {CulvertError} with its last lines if it ends first, or if nothing comes for `seconds`.
   */
  async during<T>(what: string, promise: Promise<T>, seconds = SILENCE_SECONDS): Promise<T> {
    const both = Promise.race([promise, this.#ended]);
    return await within(`${what} from ${this.#name}`, both, seconds, () => this.lastLines);
  }

  /**
   * Wait for output.
   *
   * @param answer What its output since the last call must match.
   * @returns All of that output.
   * @throws {CulvertError} with its last lines, if it ends or does not answer in time.
   */
  async hear(answer: RegExp, seconds = SILENCE_SECONDS): Promise<string> {
    await within(`hear ${answer} from ${this.#name}`, this.#answered(answer), seconds, () => {
      return this.lastLines;
    });
    const output = this.#unheard;
    this.#unheard = "";
    return output;
  }

  /**
   * Write a line to its input and wait for the answer.
   *
   * @throws {CulvertError} as {@linkcode Child.hear} does.
   */
  async ask(line: string, answer: RegExp, seconds = SILENCE_SECONDS): Promise<string> {
    await this.#input?.write(new TextEncoder().encode(`${line}\n`))
      .catch(() => {/* it has ended: hear() says so */});
    return await this.hear(answer, seconds);
  }

  /**
   * Wait until it has ended by itself.
   *
   * @returns Its output since the last call of `hear`.
   * @throws {CulvertError} with its last lines if its status is not 0, or it is silent for
   * `seconds`.
   */
  async finish(seconds = SILENCE_SECONDS): Promise<string> {
    const what = `wait for the end of ${this.#name}`;
    while (!this.#hasEnded) {
      const output = new Promise<void>((resolve) => this.#onOutput = resolve);
      await within(what, output, seconds, () => this.lastLines);
    }
    const { success, code } = await this.#closed;
    if (!success) throw this.#error(`it ended, status ${code}`);
    return this.#unheard;
  }

  /** Ask it to end, kill it if it does not, and wait until it has gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    const kill = setTimeout(() => this.#signal("SIGKILL"), GRACE_MS);
    if (this.#endBy !== "input") this.#signal(this.#endBy);
    await this.#input?.close().catch(() => {/* it has ended before */});
    await this.#closed;
    clearTimeout(kill);
  }

  async #answered(answer: RegExp): Promise<void> {
    while (!answer.test(this.#unheard)) {
      if (this.#hasEnded) await this.#ended;
      await new Promise<void>((resolve) => this.#onOutput = resolve);
    }
  }

  #signal(signal: Deno.Signal): void {
    if (this.#hasEnded) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended, its output is still read
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, isHeard: boolean): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream() as Decoder)) {
      this.#all = (this.#all + text).slice(-KEPT);
      if (isHeard) this.#unheard += text;
      this.#onOutput();
    }
  }

  #error(why: string): Error {
    const stopped = isStopping() ? " as the bench stops" : "";
    return new CulvertError(`Cannot go on with ${this.#name}${stopped} as ${why}${this.lastLines}`);
  }
}

/** TextDecoderStream's own type asks for a BufferSource. */
type Decoder = ReadableWritablePair<string, Uint8Array>;
