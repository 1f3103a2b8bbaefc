import assert from "node:assert/strict";
import type { Ended } from "../kit/lab.ts";

export const USAGE = 2;
export const FAILURE = 1;

/** The command ended with `code`, and said why in one line. */
export function assertRefused({ code, stdout, stderr }: Ended, status: number, why: RegExp): void {
  const lines = stderr.trimEnd().split("\n").filter((line) =>
    !/^culvert (host|guest): /.test(line)
  );
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0], /^culvert: Cannot /);
  assert.match(lines[0], why);
  assert.equal(code, status, stderr);
  assert.equal(stdout, "");
}
