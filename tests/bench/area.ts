import { equal, match } from "node:assert/strict";
import { Programs } from "../kit/programs.ts";

/** Whether this machine cannot run the bench: it needs root, and two cores. */
export const CANNOT_RUN = Deno.uid() !== 0 || navigator.hardwareConcurrency < 2;

/**
 * Run an area of the bench, which has to end with a verdict.
 *
 * @param only The rows of it that are asked for.
 * @param rows What these are called.
 */
export async function runArea(area: string, only: string, rows: readonly RegExp[]): Promise<void> {
  await using programs = new Programs();
  const { code, stdout, stderr } = await programs.start(
    ...[Deno.execPath(), "run", "-A", "--no-check", "bench/main.ts", area, "--only", only],
    ...["--quick", "--turns", "1", "--no-peers"],
  ).ended(120_000);
  equal(code, 0, stderr);
  match(stderr, new RegExp(`^${area}: at most \\d+ (s|min)$`, "m"));
  for (const row of rows) match(stdout, row);
  match(stdout, /\nbench: \d+ rows in \d+ s; .*\n$/);
}
