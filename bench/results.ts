import { CulvertError } from "../ffi/error.ts";
import type { Machine } from "./machine.ts";
import type { Measurement } from "./measurement.ts";

/** What a run of the bench found: the file that `--json` names, one JSON object a line. */
export interface Results {
  readonly machine: Machine;
  readonly measurements: readonly Measurement[];
}

/** As JSON lines: the machine first, then a line for each measurement. */
export function jsonLines({ machine, measurements }: Results): string {
  return [{ machine }, ...measurements].map((line) => JSON.stringify(line) + "\n").join("");
}

/**
 * Read JSON lines.
 *
 * @throws {CulvertError} if the first line is not the machine.
 */
export function readResults(text: string): Results {
  const [head, ...lines] = text.trim().split("\n").map((line) => JSON.parse(line));
  if (head?.machine === undefined) {
    throw new CulvertError(
      "Cannot read results as the first line names no machine: run the bench anew",
    );
  }
  return { machine: head.machine, measurements: lines };
}

/** Three digits, below 1 two, as a person writes them: 70.2, 0.86, 1,050. */
export function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}
