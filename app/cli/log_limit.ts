import type { LineAbout, Log } from "../linux/log.ts";

/** Lines that may come at once from one cause, and lines a second that they become again. */
const BURST = 50, PER_SECOND = 10;

/** Milliseconds after which it is said how many lines were held back. */
const REPORT_MS = 1000;

/** The clock of a {@linkcode limitLog}. */
export interface LogClock {
  /** Milliseconds. */
  now(): number;
  /** Call `work` later; it must not keep the program alive. */
  later(work: () => void, milliseconds: number): void;
}

/** How {@linkcode limitLog} limits a log. */
export interface LogLimits {
  /** The time. */
  readonly clock?: LogClock;
}

/** Lines that a cause may still write now, and how many of its lines were held back. */
interface Account {
  left: number;
  at: number;
  suppressed: number;
}

const CLOCK: LogClock = {
  now: () => performance.now(),
  later: (work, milliseconds) => Deno.unrefTimer(setTimeout(work, milliseconds)),
};

/** A log that holds lines back, and can tell at once how many. */
export interface LimitedLog {
  /**
   * Write a line, unless its cause has written too many: each cause, of which there must be few,
   * has a limit of its own. A rare line is always written.
   */
  (line: string, about?: LineAbout): void;
  /** Tell how many lines are held back now; to be called in the end. */
  flush(): void;
}

/**
 * Hold back lines that would fill a disk: each cause may write 50 lines at once, and 10 a second in
 * the long run. Lines that are held back are counted, and a second later the log tells their
 * number. A guest must not be able to make its host write without end, nor to crowd out the lines
 * of others.
 *
 * @param say Writes a line.
 */
export function limitLog(
  say: Log,
  { clock = CLOCK }: LogLimits = {},
): LimitedLog {
  const accounts = new Map<string, Account>();
  let isWaiting = false;
  const tell = (account: Account, cause: string) => {
    const { suppressed } = account;
    account.suppressed = 0;
    if (suppressed === 0) return;
    say(
      `... ${suppressed} line${suppressed === 1 ? "" : "s"}${cause && ` of ${cause}`} suppressed`,
      { level: "warning" },
    );
  };
  const flush = () => {
    isWaiting = false;
    accounts.forEach(tell);
  };
  const log: Log = (line, about = {}) => {
    const { cause = "", isRare = false } = about;
    const now = clock.now();
    const account = accounts.get(cause) ?? { left: BURST, at: now, suppressed: 0 };
    accounts.set(cause, account);
    account.left = Math.min(BURST, account.left + (now - account.at) / 1000 * PER_SECOND);
    account.at = now;
    if (account.left >= 1 || isRare) {
      account.left = Math.max(account.left - 1, 0);
      tell(account, cause);
      say(line, about);
      return;
    }
    account.suppressed++;
    if (!isWaiting) clock.later(flush, REPORT_MS);
    isWaiting = true;
  };
  return Object.assign(log, { flush });
}
