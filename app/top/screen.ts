import { printable } from "../linux/printable.ts";
import type { Line } from "./view.ts";

/** What a terminal understands: ECMA-48, and xterm's other screen. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J", LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H", END_OF_LINE = "\x1b[K", END_OF_SCREEN = "\x1b[J", PLAIN = "\x1b[0m";
const STYLES = { head: "\x1b[1m", bad: "\x1b[31m", dim: "\x1b[2m" } as const;

/** The size that is assumed of a terminal that does not tell its own. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };

/** Names of keys, by what a terminal sends for them. */
const KEYS: Readonly<Record<string, string>> = {
  "\x1b[A": "up",
  "\x1b[B": "down",
  "\x1bOA": "up",
  "\x1bOB": "down",
  "\x1b[5~": "page up",
  "\x1b[6~": "page down",
  "\x03": "q", // Ctrl-C, which is no signal while keys are read one by one
  "k": "up",
  "j": "down",
};

/**
 * The terminal at stdin and stdout, switched to a screen of its own. Once the screen is closed, or
 * Deno.exit() ends the program, the terminal is as it was before.
 */
export class Screen implements Disposable {
  #isOpen = true;
  readonly #isRaw: boolean;
  readonly #restore = () => this[Symbol.dispose]();

  /** Switch the terminal to this screen. */
  constructor() {
    this.#isRaw = Deno.stdin.isTerminal();
    if (this.#isRaw) Deno.stdin.setRaw(true);
    globalThis.addEventListener("unload", this.#restore); // Deno.exit(), where nobody disposes
    write(ENTER);
  }

  /** Whether stdout is a terminal. */
  static isThere(): boolean {
    return Deno.stdout.isTerminal();
  }

  /** Its size in characters, as it is now. */
  get size(): { columns: number; rows: number } {
    try {
      const { columns, rows } = Deno.consoleSize();
      return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
    } catch {
      return DEFAULT_SIZE; // the terminal has gone: the next write tells so
    }
  }

  /**
   * Show these lines, as many as there is room for. Returns false if the terminal has gone.
   */
  draw(lines: readonly Line[]): boolean {
    const { columns, rows } = this.size;
    const texts = lines.slice(0, rows).map(({ text, style }) => {
      const cut = [...printable(text)].slice(0, columns).join("");
      return (style && !Deno.noColor ? STYLES[style] + cut + PLAIN : cut) + END_OF_LINE;
    });
    return write(HOME + texts.join("\r\n") + END_OF_SCREEN);
  }

  /**
   * Call `take` with the name of each key that is pressed, and with `end` when no more can come.
   */
  async readKeys(take: (key: string) => void): Promise<void> {
    if (!this.#isRaw) return;
    const bytes = new Uint8Array(64);
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const n = await Deno.stdin.read(bytes);
        if (n === null) break;
        const text = decoder.decode(bytes.subarray(0, n));
        // deno-lint-ignore no-control-regex
        for (const [key] of text.matchAll(/\x1b[[O][\d;]*[~A-Z]|[^]/g)) take(KEYS[key] ?? key);
      }
    } catch { // the terminal has gone
    }
    take("end");
  }

  /** Give the terminal back. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    globalThis.removeEventListener("unload", this.#restore);
    write(LEAVE);
    try {
      if (this.#isRaw) Deno.stdin.setRaw(false);
    } catch { // the terminal has gone
    }
  }
}

function write(text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    return true;
  } catch {
    return false;
  }
}
