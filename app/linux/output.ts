/** Most lines that wait for a slow reader; further ones are lost, and counted. */
const WAITING_MAX = 1000;

/** How long a program that ends waits for its last lines to be written, in milliseconds. */
const FLUSH_MS = 5000;

/** Where lines go: `Deno.stdout` and its like. */
export interface Sink {
  /** Writes some bytes; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * A stream on which a program reports, line by line.
 *
 * No report may end or delay a forwarder: a disk may be full, a reader gone (`| head`), slow, or
 * stopped (Ctrl-S). Lines are written beside the main thread. Lines that cannot be written are
 * counted, and their number is written once that works again.
 */
export class Output {
  #waiting: string[] = [];
  #lost = 0;
  #writing?: Promise<void>;
  #isBroken = false;
  /** The line that tells how many could not be written. */
  describeLost: (count: number) => string = (count) =>
    `... ${count} line${count === 1 ? "" : "s"} could not be written`;

  /** A stream that writes to `sink`. */
  constructor(private readonly sink: Sink) {}

  /** Whether the last attempt to write has failed. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Write a line, or several with line ends between them. */
  line(text: string): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#lost++;
      return;
    }
    this.#waiting.push(text);
    this.#writing ??= this.#write();
  }

  /** Settles when all is written, or after `milliseconds`. */
  async flush(milliseconds: number = FLUSH_MS): Promise<void> {
    if (!this.#writing) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0);
      const lost = this.#lost;
      if (lost > 0) lines.unshift(this.describeLost(lost));
      this.#isBroken = !await this.#writeAll(new TextEncoder().encode(`${lines.join("\n")}\n`));
      if (this.#isBroken) this.#lost += lines.length - (lost > 0 ? 1 : 0);
      else this.#lost -= lost;
    }
    this.#writing = undefined;
  }

  async #writeAll(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.sink.write(bytes.subarray(at));
      return true;
    } catch { // a full disk, a reader that is gone, a terminal that is closed
      return false;
    }
  }
}

/** For results: tables, summaries. */
export const stdout: Output = new Output(Deno.stdout);

/** For messages. */
export const stderr: Output = new Output(Deno.stderr);
