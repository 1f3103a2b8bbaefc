/** How long a program may live after its input has ended, in milliseconds, before it is killed. */
const GRACE = 3000;

/** How long it may live at all, in milliseconds: every load ends by itself. */
const LIFETIME = 600_000;

/**
 * A DPDK program that is asked by lines on its standard input and answers on its standard output.
 * testpmd and our rte_ring end when their input ends, so they do not outlive us if we are killed;
 * `setpriv --pdeathsig` sees to it if they hang. What EAL would leave in /run/dpdk goes to a
 * temporary directory and with it.
 */
export class DpdkProcess implements AsyncDisposable {
  readonly #name: string;
  readonly #directory = Deno.makeTempDirSync({ prefix: `culvert-dpdk-${Deno.pid}-` });
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<unknown>;
  readonly #lifetime: ReturnType<typeof setTimeout>;
  #output = "";
  #errors = "";
  #hasEnded = false;
  #onOutput = () => {};

  /**
   * Start it.
   *
   * @param command Program and arguments; what precedes the program itself must `exec` it.
   */
  constructor(command: readonly string[]) {
    this.#name = command.find((word) => /testpmd|rte_ring/.test(word)) ?? command[0];
    const args = ["--pdeathsig", "KILL", ...command];
    const env = { RUNTIME_DIRECTORY: this.#directory };
    const piped = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    this.#child = new Deno.Command("setpriv", { args, env, ...piped }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#ended = Promise.all([
      this.#read(this.#child.stdout, (text) => this.#output += text),
      this.#read(this.#child.stderr, (text) => this.#errors += text),
      this.#child.status,
    ]).finally(() => {
      this.#hasEnded = true;
      this.#onOutput();
    });
    this.#lifetime = setTimeout(() => this.#kill(), LIFETIME);
  }

  /** All that it has said on its standard error. */
  get errors(): string {
    return this.#errors;
  }

  /**
   * Wait for output.
   *
   * @param answer What the output since the last call must match.
   * @param seconds How long it may take.
   * @returns All output up to and including the match and what came with it.
   * @throws {Error} with the program's last words, if it ends or does not answer in time.
   */
  async hear(answer: RegExp, seconds = 10): Promise<string> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#onOutput();
    }, seconds * 1000);
    try {
      while (!answer.test(this.#output)) {
        if (this.#hasEnded) throw this.#error("it ended");
        if (isLate) throw this.#error(`there was no ${answer} within ${seconds} s`);
        await new Promise<void>((resolve) => this.#onOutput = resolve);
      }
    } finally {
      clearTimeout(timer);
    }
    const output = this.#output;
    this.#output = "";
    return output;
  }

  /**
   * Say a line and wait for its answer.
   *
   * @throws {Error} as {@linkcode DpdkProcess.hear} does.
   */
  async ask(line: string, answer: RegExp, seconds = 10): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`))
      .catch(() => {/* it has ended: hear() says so */});
    return await this.hear(answer, seconds);
  }

  /** End the program, by the end of its input or by force after some seconds, and clean up. */
  async [Symbol.asyncDispose](): Promise<void> {
    const force = setTimeout(() => this.#kill(), GRACE);
    await this.#input.close().catch(() => {/* it has ended before */});
    await this.#ended;
    clearTimeout(force);
    clearTimeout(this.#lifetime);
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream() as Decoder)) {
      take(text);
      this.#onOutput();
    }
  }

  #kill(): void {
    if (!this.#hasEnded) this.#child.kill("SIGKILL");
  }

  #error(why: string): Error {
    const words = `${this.#output}\n${this.#errors}`.trim().slice(-1500);
    return new Error(`Cannot go on with ${this.#name} as ${why}. Its last words:\n${words}`);
  }
}

/** TextDecoderStream's own type asks for a BufferSource. */
type Decoder = ReadableWritablePair<string, Uint8Array>;
