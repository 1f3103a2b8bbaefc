import { parseArgs } from "node:util";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import {
  alternatives,
  type ChoiceOption,
  type Command,
  type FlagOption,
  fullName,
  type ListOption,
  type NumberOption,
  type Option,
  type Options,
  optionsOf,
  type SizeOption,
} from "./command.ts";
import type { Origin } from "./config/config_error.ts";
import { didYouMean } from "./did_you_mean.ts";

/** The value of an option that was given once. */
export type One<O extends Option> = O extends FlagOption ? boolean
  : O extends NumberOption | SizeOption ? number
  : O extends ChoiceOption ? O["choices"][number]
  : O extends ListOption ? O["choices"][number][]
  : string;

/** The value of an option: of one with `many` a list, else undefined if there is no default. */
export type Value<O extends Option> = O extends { many: true } ? One<O>[]
  : O extends { default: unknown } | FlagOption ? One<O>
  : One<O> | undefined;

/** The values of a command's options by their long names. */
export type Values<T extends Options> = { readonly [K in keyof T]: Value<T[K]> };

/** An option with its value, where it stood on the command line. */
export interface Given {
  /** Its long name, without dashes. */
  readonly name: string;
  /** What it was given. */
  readonly value: boolean | number | string | readonly string[];
  /** Where it stands in a file; undefined on the command line. */
  readonly origin?: Origin;
}

/** A command line that was understood. */
export interface Parsed<T extends Command = Command> {
  /** The values of all options of the table. */
  readonly values: Values<T["options"]>;
  /** The options that were given, in their order. */
  readonly given: readonly Given[];
  /** The arguments that are no options. */
  readonly positionals: readonly string[];
  /** What stands behind `--`. */
  readonly rest: readonly string[];
}

/**
 * Read a command line by the command's option table; undefined if it asks for help.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function parseOptions<T extends Command>(
  command: T,
  args: readonly string[],
): Parsed<T> | undefined {
  const end = command.rest ? args.indexOf("--") : -1;
  const own = end < 0 ? args : args.slice(0, end);
  const { tokens } = parseArgs({
    args: [...own],
    options: Object.fromEntries(
      Object.entries(optionsOf(command)).map(([name, { kind, short }]) => [
        name,
        { type: kind === "flag" ? "boolean" : "string", ...short === undefined ? {} : { short } },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const options = tokens.filter((token) => token.kind === "option");
  if (options.some(({ name }) => name === "help")) return undefined;
  const given = options.map((token) => readToken(command, token));
  const positionals = tokens.flatMap((token) => token.kind === "positional" ? [token.value] : []);
  checkPositionals(command, positionals);
  return {
    values: valuesOf(command.options, given) as Values<T["options"]>,
    given,
    positionals,
    rest: end < 0 ? [] : args.slice(end + 1),
  };
}

/** An option as `parseArgs` found it. */
interface Token {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string;
  readonly inlineValue?: boolean;
}

function readToken(command: Command, { name, rawName, value, inlineValue }: Token): Given {
  const option = Object.hasOwn(command.options, name) ? command.options[name] : undefined;
  if (!option) {
    const negated = name.startsWith("no-") ? name.slice(3) : "";
    if (!rawName.startsWith("--") || !isFlag(command, negated)) {
      return refuseOption(command, name, rawName);
    }
    refuseValue(rawName, value);
    return { name: negated, value: false };
  }
  if (option.kind === "flag") {
    refuseValue(rawName, value);
    return { name, value: true };
  }
  if (value === undefined) {
    throw new UsageError(
      `Cannot use ${rawName} as nothing follows it: write ${rawName} ${option.argument}`,
    );
  }
  if (!inlineValue && /^-./.test(value)) {
    throw new UsageError(
      `Cannot use ${rawName} ${value} as that looks like an option: write ${rawName} ` +
        `${option.argument}, or --${name}=${value} if it is meant`,
    );
  }
  return { name, value: readValue(rawName, option, value) };
}

function refuseValue(rawName: string, value: string | undefined): void {
  if (value === undefined) return;
  throw new UsageError(`Cannot use ${rawName}=${value} as it takes no value: write ${rawName}`);
}

function isFlag({ options }: Command, name: string): boolean {
  return Object.hasOwn(options, name) && options[name].kind === "flag";
}

function refuseOption(command: Command, name: string, rawName: string): never {
  const known = Object.entries(optionsOf(command)).flatMap(([long, { kind }]) =>
    kind === "flag" && long !== "help" ? [long, `no-${long}`] : [long]
  );
  const meant = rawName.startsWith("--") ? didYouMean(name, known) : undefined;
  const help = `${fullName(command)} --help lists those that there are`;
  throw new UsageError(
    `Cannot use ${rawName} as ${fullName(command)} has no such option: ` +
      (meant === undefined ? help : `did you mean --${meant}? ${help}`),
  );
}

function checkPositionals(command: Command, found: readonly string[]): void {
  const { positionals = [] } = command;
  const most = positionals.some(({ many }) => many) ? Infinity : positionals.length;
  const least = positionals.filter(({ optional }) => !optional).length;
  if (found.length > most) {
    throw new UsageError(
      `Cannot use "${found[most]}" as ${fullName(command)} takes ` +
        `${
          most === 0
            ? "options alone"
            : `no more than ${positionals.map((one) => one.name).join(", ")}`
        }: ` +
        `${fullName(command)} --help tells more`,
    );
  }
  if (found.length < least) {
    throw new UsageError(
      `Cannot run ${fullName(command)} as ${positionals[found.length].name} is missing: write ` +
        `${fullName(command)} ${command.usage[0]}`,
    );
  }
  found.forEach((word, i) => {
    const { name, choices } = positionals[Math.min(i, positionals.length - 1)];
    if (choices) readChoice(name, word, choices);
  });
}

/** Of each option the value that was given last, or all of them, or its default. */
export function valuesOf(options: Options, given: readonly Given[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => {
      const found = given.filter((one) => one.name === name).map(({ value }) => value);
      if (option.kind !== "flag" && option.many) return [name, found];
      return [name, found.length > 0 ? found[found.length - 1] : defaultOf(option)];
    }),
  );
}

function defaultOf(option: Option): unknown {
  if (option.kind === "flag") return option.default ?? false;
  if (option.kind === "list") return undefined;
  return option.kind === "size" && option.default !== undefined
    ? readSize("", option.default)
    : option.default;
}

function readValue(label: string, option: Exclude<Option, FlagOption>, text: string) {
  switch (option.kind) {
    case "number":
      return readNumber(label, text, option);
    case "size":
      return readSize(label, text);
    case "choice":
      return readChoice(label, text, option.choices);
    case "list":
      return text.split(",").map((word) => readChoice(label, word, option.choices));
    case "text":
      return text;
  }
}

function readNumber(
  label: string,
  text: string,
  { least, most, decimals }: Omit<NumberOption, "argument" | "about">,
): number {
  const value = (decimals ? /^\d+(\.\d+)?$/ : /^\d+$/).test(text) ? Number(text) : NaN;
  if (value >= least && value <= (most ?? Number.MAX_SAFE_INTEGER)) return value;
  const range = most === undefined ? `of ${least} or more` : `from ${least} to ${most}`;
  const kind = decimals ? "number" : "whole number";
  throw new UsageError(`Cannot use ${label} ${text} as it is no ${kind} ${range}`);
}

/**
 * The bytes of a size such as `64M`.
 *
 * @throws {UsageError} if it is none.
 */
export function readSize(label: string, text: string): number {
  const match = /^(\d+)([KMG]?)$/i.exec(text);
  if (!match) {
    throw new UsageError(`Cannot use ${label} ${text} as it is no size: write 65536, 64M or 1G`);
  }
  return Number(match[1]) * 1024 ** " KMG".indexOf(match[2].toUpperCase() || " ");
}

function readChoice(label: string, text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  const meant = didYouMean(text, choices);
  throw new UsageError(
    `Cannot use ${label} ${text} as it is none of ${alternatives(choices)}` +
      (meant === undefined ? "" : `: did you mean ${meant}?`),
  );
}

/** Check a value from the command line: what `check` refuses is a usage error. */
export function checkUsage(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof CulvertError ? new UsageError(error.message) : error;
  }
}
