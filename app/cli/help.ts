import {
  alternatives,
  argumentsOf,
  type Command,
  dashed,
  type Example,
  fullName,
  groupsOf,
  limitsOf,
  type Option,
  type Text,
} from "./command.ts";

/** Columns of a terminal. */
const WIDTH = 80;

/** The column where descriptions begin; a term that is too long gets a line of its own. */
const COLUMN = 23;

/** The same, in the list of commands. */
const OVERVIEW_COLUMN = 14;

/** Where command lines may break: before an option, which stays with its value. */
const BEFORE_OPTION = / (?=\[?-)/;

/** What `culvert COMMAND --help` shows: all that the command's table tells, 80 columns wide. */
export function helpText(command: Command): string {
  const { summary, usage, intro = [], text = [], examples = [] } = command;
  const name = fullName(command);
  return [
    wrap(`${name} - ${summary}`, WIDTH).join("\n"),
    usage.flatMap((line, i) =>
      wrap(`${name} ${line}`.trim(), WIDTH - 15, BEFORE_OPTION)
        .map((part, j) => (i + j === 0 ? "usage: " : j === 0 ? "       " : " ".repeat(15)) + part)
    ).join("\n"),
    ...intro.map((part) => textOf(part)),
    ...argumentBlock(command),
    ...[...groupsOf(command)].map(([heading, options]) =>
      [
        ...heading === "" ? [] : wrap(`${heading}:`, WIDTH),
        ...options.flatMap(([long, option]) => optionLines(long, option)),
      ].join("\n")
    ),
    ...text.map((part) => textOf(part)),
    ...exampleBlocks(examples),
  ].join("\n\n");
}

/** Examples without a description stand together, each other one below its description. */
function exampleBlocks(examples: readonly Example[]): string[] {
  const plain = examples.filter(({ about }) => about === undefined);
  const heading = plain.length === 1 ? "example:" : "examples:";
  return [
    ...plain.length === 0 ? [] : [[heading, ...plain.flatMap(({ line }) => commandLines(line))]],
    ...examples.flatMap(({ about, line }) =>
      about === undefined ? [] : [[...wrap(`${about}:`, WIDTH), ...commandLines(line)]]
    ),
  ].map((lines) => lines.join("\n"));
}

/** What `culvert --help` shows: each command with its summary. */
export function overviewText(commands: readonly Command[]): string {
  return [
    "culvert - forward Ethernet frames between a host and its guests without a copy",
    "usage: culvert COMMAND [options]",
    commands.flatMap(({ name, summary }) => entry(name, summary, OVERVIEW_COLUMN)).join("\n"),
    "culvert COMMAND --help tells more, culvert --version what version this is.",
  ].join("\n\n");
}

/** An option as help writes it: `-l, --cores CORES`, `--[no-]mac-updating`. */
export function labelOf(long: string, option: Option): string {
  const name = dashed(long, option);
  const names = option.short === undefined ? name : `-${option.short}, ${name}`;
  return option.kind === "flag" ? names : `${names} ${option.argument}`;
}

function optionLines(long: string, option: Option): string[] {
  const lines = entry(labelOf(long, option), `${option.about} ${limitsOf(option)}`.trim());
  if (option.kind !== "choice" || !option.meanings) return lines;
  const widest = Math.max(...option.choices.map((choice) => choice.length));
  const indent = " ".repeat(COLUMN + widest + 2);
  return [
    ...lines,
    ...option.choices.flatMap((choice) =>
      wrap(option.meanings![choice] ?? "", WIDTH - indent.length).map((part, i) =>
        (i === 0 ? " ".repeat(COLUMN) + choice : "").padEnd(indent.length) + part
      )
    ),
  ];
}

function argumentBlock(command: Command): string[] {
  const lines = argumentsOf(command).flatMap(({ name, about, choices }) =>
    entry(name, choices ? `${about} (${alternatives(choices)})` : about)
  );
  return lines.length === 0 ? [] : [lines.join("\n")];
}

/** A term on the left, what it means on the right. */
function entry(term: string, about: string, column = COLUMN): string[] {
  const lines = wrap(about, WIDTH - column);
  const left = `  ${term}`;
  const isShort = left.length + 2 <= column;
  return [
    ...isShort ? [] : [left],
    ...lines.map((line, i) => (i === 0 && isShort ? left : "").padEnd(column) + line),
  ];
}

/** A paragraph, or a list of terms. */
export function textOf(text: Text): string {
  if (typeof text === "string") return wrap(text, WIDTH).join("\n");
  return text.flatMap(([term, about]) => entry(term, about)).join("\n");
}

/** A command line for a shell; if it is too long it is continued. */
export function commandLines(line: string): string[] {
  const parts = wrap(line, WIDTH - 8, BEFORE_OPTION);
  return parts.map((part, i) => {
    const more = i < parts.length - 1 ? " \\" : "";
    return `${i === 0 ? "  " : "      "}${part}${more}`;
  });
}

/** Lines of whole words, at most `width` columns each; they break where `between` matches. */
export function wrap(text: string, width: number, between = /\s+/): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(between)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
