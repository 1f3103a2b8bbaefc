import assert from "node:assert/strict";

/** Milliseconds that anything may take: the machine may be busy with other tests. */
export const PATIENCE_MS = 60_000;

/** Milliseconds in which a VM boots: 9 s on an idle machine, more if its image has to be built. */
export const BOOT_MS = 180_000;

/** Longest wait between two looks at a condition, in milliseconds. */
const LOOK_MS = 20;

/** Wait. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Wait until a condition holds; returns false if it does not within `patience` milliseconds. */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  patience = PATIENCE_MS,
): Promise<boolean> {
  const start = performance.now();
  for (let next = 1; !await isTrue(); next = Math.min(2 * next, LOOK_MS)) {
    if (performance.now() - start > patience) return false;
    await pause(next);
  }
  return true;
}

/**
 * Wait until a condition holds.
 *
 * @param what Names the condition in the error's message; its source if left out.
 * @throws {AssertionError} if the condition does not hold within `patience` milliseconds.
 */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  what: string | (() => string) = isTrue.toString(),
  patience = PATIENCE_MS,
): Promise<void> {
  if (await waitUntil(isTrue, patience)) return;
  assert.fail(`Not within ${patience} ms: ${typeof what === "string" ? what : what()}`);
}
