/** Milliseconds that anything may take: the machine may be busy with other tests. */
export const PATIENCE_MS = 20_000;

/** Wait until a condition holds; false if it takes too long. */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  patience = PATIENCE_MS,
): Promise<boolean> {
  for (const start = performance.now(); !await isTrue(); await pause(20)) {
    if (performance.now() - start > patience) return false;
  }
  return true;
}

/** Wait. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Whether a path is there. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
