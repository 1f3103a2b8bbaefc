import type { LineAbout, Log } from "../linux/log.ts";

/** Lines that may come at once from one cause, and lines a second that they become again. */
const BURST = 50, PER_SECOND = 10;

/** Milliseconds after which it is said how many lines were held back. */
const REPORT_MS = 1000;

/** What a {@linkcode limitLog} asks of its surroundings. */
export interface LogClock {
  /** Milliseconds. */
  now(): number;
  /** Call `work` later; it must not keep the program alive. */
  later(work: () => void, milliseconds: number): void;
}

/** What a log may be limited by. */
export interface LogLimits {
  /** The time. */
  readonly clock?: LogClock;
}

/** What is left to a cause, and how many of its lines were held back. */
interface Account {
  left: number;
  at: number;
  suppressed: number;
}

const CLOCK: LogClock = {
  now: () => performance.now(),
  later: (work, milliseconds) => Deno.unrefTimer(setTimeout(work, milliseconds)),
};

/** A log, and what says at once how many lines of it are still held back. */
export interface LimitedLog {
  /**
   * Say a line, unless there were too many of its cause: each cause, of which there must be few,
   * has a limit of its own. A line that is rare is always said.
   */
  (line: string, about?: LineAbout): void;
  /** Call it in the end. */
  flush(): void;
}

/**
 * Hold back what would fill a disk: of each cause 50 lines may come at once, 10 a second for long.
 * Lines that are held back are counted, and their number is said a second later. A guest must not
 * be able to make its host write without end, nor to hide by its lines what others are to be told.
 *
 * @param say What writes a line.
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
