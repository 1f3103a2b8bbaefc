import { UsageError } from "../../../ffi/error.ts";
import type { Place } from "./toml.ts";

/** Where something stands in a configuration file. */
export interface Origin {
  /** The file's name. */
  readonly file: string;
  /** Where it is there. */
  readonly place: Place;
}

/** A fault of a configuration file. */
export interface Fault {
  /** Where it is; undefined if the whole file has it. */
  readonly place?: Place;
  /** What was found, and what is wanted. */
  readonly message: string;
}

/** A configuration file that cannot be used: each fault has a line, `FILE:LINE:COLUMN FAULT`. */
export class ConfigError extends UsageError {
  /** All that is wrong with `file`, in the order of its lines. */
  constructor(readonly file: string, readonly faults: readonly Fault[]) {
    const lines = faults.map(({ place, message }) =>
      `${file}${place ? `:${place.line}:${place.column}` : ""} ${message}`
    );
    super(`Cannot use ${file} as it cannot be carried out\n${lines.join("\n")}`);
  }
}

/**
 * Do `work`.
 *
 * @param origin Where what it uses stands; undefined if that is in no file.
 * @throws {ConfigError} with that place, if `work` refuses it.
 */
export function withOrigin<T>(origin: Origin | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (origin === undefined || !(error instanceof UsageError)) throw error;
    throw new ConfigError(origin.file, [{ place: origin.place, message: error.message }]);
  }
}
