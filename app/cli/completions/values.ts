import type { Option, Positional } from "../command.ts";

/** What a shell offers for a value: words, and what is found when it asks. */
export interface Offer {
  /** Words that are known now. */
  readonly words: readonly string[];
  /** Where a shell finds more. */
  readonly from?: "files" | "folders" | "regions";
}

/** What a shell offers for an option's value; undefined if the option takes none. */
export function offerFor(option: Option): Offer | undefined {
  switch (option.kind) {
    case "flag":
      return undefined;
    case "choice":
    case "list":
      return { words: option.choices };
    case "text":
      return { words: option.words ?? [], from: placeOf(option.argument) };
    default:
      return { words: [] };
  }
}

/** What a shell offers for an argument. */
export function offerForArgument({ name, choices = [] }: Positional): Offer {
  return { words: choices, from: placeOf(name) };
}

/** Where a shell finds the values of an argument, by the argument's name. */
function placeOf(argument: string): Offer["from"] {
  if (/^(NAME\|PATH|REGION)$/.test(argument)) return "regions";
  if (/^(FILE|PIDFILE|SOCKET)$/.test(argument)) return "files";
  return /^(DIR|FOLDER)$/.test(argument) ? "folders" : undefined;
}

/** The first phrase of a description, for a list beside a prompt. */
export function phraseOf(about: string): string {
  return about.split(/[.;:] /)[0];
}

/** The spellings of an option, short ones first: `-l`, `--cores`. */
export function spellingsOf(long: string, option: Option): string[] {
  return [
    ...option.short === undefined ? [] : [`-${option.short}`],
    `--${long}`,
    ...option.kind === "flag" && option.default === true ? [`--no-${long}`] : [],
  ];
}

/** Text as one word of a shell: in single quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
