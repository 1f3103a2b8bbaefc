import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { CulvertError, UsageError } from "../../ffi/error.ts";

/** What {@linkcode readOptions} reads. */
export type OptionValues<T extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowNegative: true }>
>["values"];

/** An option with a value, as it stands on the command line. */
export interface OrderedOption {
  /** Its long name, without dashes. */
  readonly name: string;
  /** What it was given. */
  readonly value: string;
}

/** Read a command line; what it does not know is a usage error. */
export function readOptions<T extends ParseArgsOptionsConfig>(
  args: string[],
  options: T,
): OptionValues<T> {
  return readOrderedOptions(args, options).values;
}

/** As {@linkcode readOptions}; `ordered` tells in what order options with values were given. */
export function readOrderedOptions<T extends ParseArgsOptionsConfig>(
  args: string[],
  options: T,
): { values: OptionValues<T>; ordered: OrderedOption[] } {
  try {
    const { values, tokens } = parseArgs({ args, options, allowNegative: true, tokens: true });
    const ordered = tokens.flatMap((token) =>
      token.kind === "option" && token.value !== undefined
        ? [{ name: token.name, value: token.value }]
        : []
    );
    return { values: values as OptionValues<T>, ordered };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`Cannot read the command line: ${error.message}`);
  }
}

/**
 * A whole number from `least` to `most`.
 *
 * @throws {UsageError} if it is none.
 */
export function readNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(
    `Cannot use ${option} ${text} as it is no whole number from ${least} to ${most}`,
  );
}

/**
 * A size in bytes: `65536`, `512K`, `64M`, `1G`.
 *
 * @throws {UsageError} if it is none.
 */
export function readSize(option: string, text: string): number {
  const match = /^(\d+)([KMG]?)$/i.exec(text);
  if (!match) {
    throw new UsageError(`Cannot use ${option} ${text} as it is no size: write 65536, 64M or 1G`);
  }
  return Number(match[1]) * 1024 ** " KMG".indexOf(match[2].toUpperCase() || " ");
}

/**
 * One of several words.
 *
 * @throws {UsageError} if it is none of them.
 */
export function readChoice<T extends string>(
  option: string,
  text: string,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new UsageError(`Cannot use ${option} ${text} as it is none of ${choices.join(", ")}`);
}

/** Check a value from the command line: what `check` refuses is a usage error. */
export function checkUsage(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof CulvertError ? new UsageError(error.message) : error;
  }
}

/** A terminal and a task runner may both pass on one Ctrl-C: signals so close are one. */
const ONE_SIGNAL_MS = 1000;

/** A signal that aborts on SIGINT or SIGTERM; a later one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (!controller.signal.aborted) first = performance.now();
      else if (performance.now() - first > ONE_SIGNAL_MS) Deno.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
