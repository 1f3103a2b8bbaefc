import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { freeze } from "./processes.ts";
import { PATIENCE_MS, pause } from "./wait.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How a program ended. */
export interface Ended {
  /** Exit status; 128 + number if a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that was started. */
export class Running {
  readonly #child: Deno.ChildProcess;
  readonly #output = { stdout: new Output(), stderr: new Output() };
  readonly #ended: Promise<Ended>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #isOver = false;

  constructor(private readonly command: readonly string[]) {
    const [program, ...args] = command;
    const all = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    this.#child = new Deno.Command(program, { args, cwd: ROOT, ...all }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#ended = this.#follow();
  }

  /** Its process id: also of a program in a namespace, as `ip netns exec` becomes that program. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has said until now. */
  get stdout(): string {
    return this.#output.stdout.text;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What it has complained of until now. */
  get stderr(): string {
    return this.#output.stderr.text;
  }

  /**
   * Wait for a line in stderr. Each call goes on behind the line that the last one found, so that
   * the same words may be awaited twice.
   *
   * @throws {AssertionError} if it does not come in time, or the program ends before.
   */
  stderrLine(wanted: RegExp, patience = PATIENCE_MS): Promise<string> {
    return this.#line("stderr", wanted, patience);
  }

  /** Wait for a line in stdout, as {@linkcode stderrLine} does. */
  stdoutLine(wanted: RegExp, patience = PATIENCE_MS): Promise<string> {
    return this.#line("stdout", wanted, patience);
  }

  /** Give it a line to read. */
  async write(line: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Send it a signal, unless it has ended. */
  kill(signal: Deno.Signal): void {
    if (!this.#isOver) this.#child.kill(signal);
  }

  /** Stop it from running until SIGCONT. */
  freeze(): Promise<void> {
    return freeze(this.pid);
  }

  /** Wait for its end; it is killed if that takes too long. */
  async ended(patience = PATIENCE_MS): Promise<Ended> {
    const timer = setTimeout(() => this.kill("SIGKILL"), patience);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Send it a signal and wait for its end; it is killed if that takes too long (status 137). */
  async stop(signal: Deno.Signal = "SIGINT"): Promise<Ended> {
    this.kill(signal);
    return await this.ended();
  }

  async #follow(): Promise<Ended> {
    const { stdout, stderr } = this.#output;
    const streams = [stdout.read(this.#child.stdout), stderr.read(this.#child.stderr)];
    const { code } = await this.#child.status;
    this.#isOver = true;
    await Promise.all([...streams, this.#stdin.close().catch(() => {})]);
    return { code, stdout: stdout.text, stderr: stderr.text };
  }

  async #line(stream: "stdout" | "stderr", wanted: RegExp, patience: number): Promise<string> {
    const output = this.#output[stream];
    const start = performance.now();
    for (;;) {
      const isLast = output.isClosed;
      const line = output.find(wanted);
      if (line !== undefined) return line;
      if (isLast || performance.now() - start > patience) {
        assert.fail(
          `${this.command.slice(0, 3).join(" ")} ... ${isLast ? "ended" : "ran"} without ` +
            `${wanted} in ${stream}:\n${this.stderr}\n${this.stdout.slice(-4000)}`,
        );
      }
      await pause(10);
    }
  }
}

/** What comes out of a program. */
class Output {
  text = "";
  isClosed = false;
  #found = 0;

  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.text += decoder.decode(chunk, { stream: true });
    this.isClosed = true;
  }

  /** The next whole line that matches. */
  find(wanted: RegExp): string | undefined {
    for (let from = this.#found;;) {
      const end = this.text.indexOf("\n", from);
      if (end < 0) return undefined;
      const line = this.text.slice(from, end);
      from = end + 1;
      if (!wanted.test(line)) continue;
      this.#found = from;
      return line;
    }
  }
}
