import { ok } from "node:assert/strict";

/** Milliseconds that anything may take: the machine may be busy with other tests. */
export const PATIENCE_MS = 20_000;

/** Let others go on for a while. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Wait until something holds; fails, with what it is, if it does not in time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    ok(performance.now() < end, `${what}: not within ${PATIENCE_MS} ms`);
    await pause(1);
  }
}
