/**
 * The log of a program: one mechanism for host, guest, server and the rest. What becomes of lines
 * that cannot be written is `Output`'s affair.
 *
 * @module
 */
import { type Output, stderr } from "./output.ts";

/** How much a line matters, the most important first. */
export const LEVELS = ["error", "warning", "info", "debug"] as const;

/** One of {@linkcode LEVELS}. */
export type Level = typeof LEVELS[number];

/**
 * How lines are written: as they are, with time and level in front of each, or as JSON, an object
 * for a message of however many lines.
 */
export const LOG_FORMATS = ["text", "time", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** What a program states about a line, beside its text. */
export interface LineAbout {
  /** `info` if left out. */
  readonly level?: Level;
  /**
   * The guest that has caused the line, by its name in the log; left out if it was the program
   * itself, or a port. Lines are limited for each cause by itself, so that one guest cannot hold
   * back other lines.
   */
  readonly cause?: string;
  /** Whether the line is always written, since nobody can cause it again and again. */
  readonly isRare?: boolean;
}

/** What a program tells its user, a line at a time. It never fails, and waits for nothing. */
export type Log = (line: string, about?: LineAbout) => void;

/** What levels are to syslog, and so to the journal. */
const PRIORITIES: Readonly<Record<Level, number>> = { error: 3, warning: 4, info: 6, debug: 7 };

/** How a {@linkcode LogWriter} writes. */
export interface LogOptions {
  /** Lines of this level and more important ones are written. */
  readonly level: Level;
  /** How. */
  readonly format: LogFormat;
  /** Whether `<6>` stands in front of each line, which the journal takes for a priority. */
  readonly hasPriorities: boolean;
}

/** Writes the lines of all parts of a program. */
export class LogWriter {
  #options: LogOptions = { level: "info", format: "text", hasPriorities: false };

  /** Lines as they are, until {@linkcode configure}. */
  constructor(private readonly output: Output, private readonly clock: () => Date) {}

  /** Change options, for all lines from now on. */
  configure(options: Partial<LogOptions>): void {
    this.#options = { ...this.#options, ...options };
    const { output } = this;
    output.describeLost = (count) =>
      this.text("culvert", `... ${count} line${count === 1 ? "" : "s"} could not be written`, {
        level: "warning",
      });
  }

  /** Write a line of `program`, `culvert host`, or a message of several lines. */
  line(program: string, message: string, about: LineAbout = {}): void {
    if (this.isWritten(about.level)) this.output.line(this.text(program, message, about));
  }

  /** Whether lines of a level are written. */
  isWritten(level: Level = "info"): boolean {
    return LEVELS.indexOf(level) <= LEVELS.indexOf(this.#options.level);
  }

  /** A line as it is written, without its end. */
  text(program: string, message: string, { level = "info", cause }: LineAbout = {}): string {
    const { format, hasPriorities } = this.#options;
    const text = this.#formatted(format, program, message, level, cause);
    if (!hasPriorities) return text;
    return text.split("\n").map((line) => `<${PRIORITIES[level]}>${line}`).join("\n");
  }

  #formatted(
    format: LogFormat,
    program: string,
    message: string,
    level: Level,
    cause: string | undefined,
  ): string {
    switch (format) {
      case "text":
        return `${program}: ${message}`;
      case "time": {
        const front = `${this.clock().toISOString()} ${level.toUpperCase()} ${program}: `;
        return message.split("\n").map((line) => front + line).join("\n");
      }
      case "json":
        return JSON.stringify({
          time: this.clock().toISOString(),
          level,
          program,
          message,
          ...cause === undefined ? {} : { cause },
        });
    }
  }
}

/** The log on stderr. */
export const logWriter: LogWriter = new LogWriter(stderr, () => new Date());
