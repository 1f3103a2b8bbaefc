import { CulvertError } from "../ffi/error.ts";

/** What says nothing for so long never will. */
export const SILENCE_SECONDS = 20;

const stopping = new AbortController();
const stopped = new Promise<never>((_, reject) => {
  stopping.signal.addEventListener("abort", () => reject(stopping.signal.reason), { once: true });
});
stopped.catch(() => {/* whoever waits is told */});

/** Make every wait of the bench fail, so that each section undoes what it did. */
export function stopBench(why: string): void {
  stopping.abort(new CulvertError(`The bench was ${why}`));
}

/** Whether {@linkcode stopBench} was called. */
export function isStopping(): boolean {
  return stopping.signal.aborted;
}

/**
 * Wait for something that may never come.
 *
 * @param what The wait, for the message: `wait for the guest`.
 * @param lastLines What the silent program said before.
 * @throws {CulvertError} after `seconds`, or when the bench is told to stop.
 */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  seconds = SILENCE_SECONDS,
  lastLines: () => string = () => "",
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new CulvertError(`Cannot ${what} as nothing came for ${seconds} s${lastLines()}`));
  }, seconds * 1000);
  try {
    return await Promise.race([promise, late.promise, stopped]);
  } finally {
    clearTimeout(timer);
  }
}

/** Let time pass; fails at once when the bench is told to stop. */
export async function pause(milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await Promise.race([promise, stopped]);
  } finally {
    clearTimeout(timer);
  }
}
