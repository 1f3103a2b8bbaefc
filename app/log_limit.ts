/** Lines that may come at once, and lines a second that they become again. */
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

const CLOCK: LogClock = {
  now: () => performance.now(),
  later: (work, milliseconds) => Deno.unrefTimer(setTimeout(work, milliseconds)),
};

/** A log, and what says at once how many lines of it are still held back. */
export interface LimitedLog {
  /**
   * Say a line, unless there were too many, or it `isRare`: one that nobody can cause again and again, and
   * that must not be lost among others.
   */
  (line: string, isRare?: boolean): void;
  /** Call it in the end. */
  flush(): void;
}

/**
 * Hold back what would fill a disk: 50 lines may come at once, 10 a second for long. What is held back is
 * counted, and the number said a second later. A guest must not be able to make its host write without end.
 *
 * @param say What writes a line.
 */
export function limitLog(say: (line: string) => void, clock: LogClock = CLOCK): LimitedLog {
  let left = BURST, at = clock.now(), suppressed = 0, isWaiting = false;
  const flush = () => {
    isWaiting = false;
    if (suppressed > 0) say(`... ${suppressed} line${suppressed === 1 ? "" : "s"} suppressed`);
    suppressed = 0;
  };
  const log = (line: string, isRare = false) => {
    const now = clock.now();
    left = Math.min(BURST, left + (now - at) / 1000 * PER_SECOND);
    at = now;
    if (left >= 1 || isRare) {
      left = Math.max(left - 1, 0);
      flush();
      say(line);
      return;
    }
    suppressed++;
    if (!isWaiting) clock.later(flush, REPORT_MS);
    isWaiting = true;
  };
  return Object.assign(log, { flush });
}
