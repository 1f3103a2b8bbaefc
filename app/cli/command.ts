/**
 * The option table of a command. Parsing, help, completions and man pages are made from it.
 *
 * @module
 */

/** What every option has. */
export interface AnyOption {
  /** Its one-letter name, without the dash. */
  readonly short?: string;
  /** What it does: a phrase, without range, choices and default, which are added. */
  readonly about: string;
  /** The heading that it stands under; options without one come first. */
  readonly group?: string;
}

/** What an option that takes a value has. */
export interface ValuedOption extends AnyOption {
  /** How help calls the value: `N`, `NAME|PATH`. */
  readonly argument: string;
  /** Says what happens if the option is left out and no `default` says it. */
  readonly otherwise?: string;
  /** Whether it may be repeated: its value is a list then. */
  readonly many?: true;
}

/** An option that is there or not; `--no-NAME` takes it back. */
export interface FlagOption extends AnyOption {
  /** Its kind. */
  readonly kind: "flag";
  /** False if left out. */
  readonly default?: boolean;
}

/** A number: whole, unless it says otherwise. */
export interface NumberOption extends ValuedOption {
  /** Its kind. */
  readonly kind: "number";
  /** Whether it may have decimals. */
  readonly decimals?: true;
  /** The lowest that is taken. */
  readonly least: number;
  /** The highest; without it there is no limit. */
  readonly most?: number;
  /** The value if the option is left out. */
  readonly default?: number;
}

/** A size in bytes: `65536`, `512K`, `64M`, `1G`. */
export interface SizeOption extends ValuedOption {
  /** Its kind. */
  readonly kind: "size";
  /** The value if the option is left out, as it is written on the command line. */
  readonly default?: string;
}

/** One of several words. */
export interface ChoiceOption extends ValuedOption {
  /** Its kind. */
  readonly kind: "choice";
  /** The words that there are. */
  readonly choices: readonly string[];
  /** What each choice means, if it is not plain: help lists them then, a line or more each. */
  readonly meanings?: Readonly<Record<string, string>>;
  /** The value if the option is left out. */
  readonly default?: string;
}

/** Words with commas between them. */
export interface ListOption extends ValuedOption {
  /** Its kind. */
  readonly kind: "list";
  /** The words that there are. */
  readonly choices: readonly string[];
}

/** Any text. */
export interface TextOption extends ValuedOption {
  /** Its kind. */
  readonly kind: "text";
  /** What a value may be, or begin with: shells offer these words. */
  readonly words?: readonly string[];
  /** The value if the option is left out. */
  readonly default?: string;
}

/** An option of a command. */
export type Option =
  | FlagOption
  | NumberOption
  | SizeOption
  | ChoiceOption
  | ListOption
  | TextOption;

/** The options of a command by their long names. */
export type Options = Readonly<Record<string, Option>>;

/** An argument that is no option. */
export interface Positional {
  /** How help calls it. */
  readonly name: string;
  /** What it is: a phrase. */
  readonly about: string;
  /** Whether it may be left out. */
  readonly optional?: true;
  /** Whether there may be several. */
  readonly many?: true;
  /** The words that it may be. */
  readonly choices?: readonly string[];
}

/** A paragraph, or terms with what each means. */
export type Text = string | readonly (readonly [term: string, about: string])[];

/** A command line that shows how a command is used. */
export interface Example {
  /** As it is typed. */
  readonly line: string;
  /** What it is for. */
  readonly about?: string;
}

/** A command: what help tells of it, and how its command line is read. */
export interface Command {
  /** As it is typed. */
  readonly name: string;
  /** The program that the command belongs to; `culvert` if left out. */
  readonly program?: "culvert" | "deno task";
  /** What it does: one line, without a full stop. */
  readonly summary: string;
  /** Its command lines, each without program and name. */
  readonly usage: readonly string[];
  /** All but `--help`, which every command has. */
  readonly options: Options;
  /** Its arguments, in their order. */
  readonly positionals?: readonly Positional[];
  /** What may follow behind `--`; nothing if left out. */
  readonly rest?: Positional;
  /** What stands before the options, in help. */
  readonly intro?: readonly Text[];
  /** What stands behind them. */
  readonly text?: readonly Text[];
  /** What stands last. */
  readonly examples?: readonly Example[];
}

/** Every command has these. */
const HELP = {
  help: { kind: "flag", short: "h", about: "show this text" },
} as const satisfies Options;

/** The program and the name, as a user types them: `culvert host`. */
export function fullName({ program = "culvert", name }: Command): string {
  return name === "" ? program : `${program} ${name}`;
}

/** All options of a command, `--help` the last. */
export function optionsOf({ options }: Command): Options {
  return { ...options, ...HELP };
}

/** The heading of each group with its options, in the order of the table. */
export function groupsOf(command: Command): Map<string, [name: string, option: Option][]> {
  const groups = new Map<string, [string, Option][]>([["", []]]);
  for (const [name, option] of Object.entries(command.options)) {
    const { group = "" } = option;
    groups.set(group, [...groups.get(group) ?? [], [name, option]]);
  }
  const last = [...groups.keys()].at(-1)!;
  groups.get(last)!.push(["help", HELP.help]);
  return groups;
}

/** The arguments of a command that are no options, the ones behind `--` last. */
export function argumentsOf({ positionals = [], rest }: Command): readonly Positional[] {
  return rest === undefined ? positionals : [...positionals, { ...rest, name: `-- ${rest.name}` }];
}

/** An option's long name as it is given: `--cores`, `--[no-]mac-updating`. */
export function dashed(long: string, option: Option): string {
  return option.kind === "flag" && option.default === true ? `--[no-]${long}` : `--${long}`;
}

/** What follows an option's description: range, choices and default, in brackets; or nothing. */
export function limitsOf(option: Option): string {
  if (option.kind === "flag") return option.default === true ? "(default: on)" : "";
  const left = "default" in option ? option.default : option.otherwise;
  const colon = /\s/.test(`${left}`) ? ":" : "";
  const all = [...rangeOf(option), ...left === undefined ? [] : [`default${colon} ${left}`]];
  return all.length === 0 ? "" : `(${all.join(", ")})`;
}

function rangeOf(option: Exclude<Option, FlagOption>): string[] {
  switch (option.kind) {
    case "number":
      return [
        option.most === undefined ? `${option.least} or more` : `${option.least} to ${option.most}`,
      ];
    case "choice":
      return option.meanings ? [] : [alternatives(option.choices)];
    case "list":
      return [`of ${option.choices.join(", ")}`];
    default:
      return [];
  }
}

/** `a, b or c`; with semicolons if there are commas in the words. */
export function alternatives(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  const between = words.some((word) => word.includes(",")) ? "; " : ", ";
  return `${words.slice(0, -1).join(between)} or ${words[words.length - 1]}`;
}
