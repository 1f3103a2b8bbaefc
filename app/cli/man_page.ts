import {
  argumentsOf,
  type Command,
  dashed,
  type Example,
  fullName,
  groupsOf,
  limitsOf,
  type Option,
  type Positional,
  type Text,
} from "./command.ts";
import { commandLines, wrap } from "./help.ts";
import { VERSION, VERSION_DATE } from "./version.ts";

/** mandoc wants lines of text to be shorter than this. */
const WIDTH = 78;

/** The man page of a command, man(7), made of its table. */
export function manPage(command: Command): string {
  const { summary, usage, intro = [], text = [], examples = [] } = command;
  const name = fullName(command).replaceAll(" ", "-");
  return [
    title(name),
    ".SH NAME",
    ...wrap(`${escaped(name)} \\- ${escaped(summary)}`, WIDTH),
    ".SH SYNOPSIS",
    ...usage.flatMap((line, i) => [
      ...i > 0 ? [".br"] : [],
      `.B ${escaped(fullName(command))}`,
      ...paragraph(line),
    ]),
    ".SH DESCRIPTION",
    ...intro.length === 0 ? paragraph(`${summary[0].toUpperCase()}${summary.slice(1)}.`) : [],
    ...blocks(intro),
    ...argumentsOf(command).flatMap(argumentLines),
    ".SH OPTIONS",
    ...[...groupsOf(command)].flatMap(([heading, options]) => [
      ...heading === "" ? [] : [`.SS ${escaped(heading)}`],
      ...options.flatMap(([long, option]) => optionLines(long, option)),
    ]),
    ...text.length === 0 ? [] : [".SH NOTES", ...blocks(text)],
    ...examples.length === 0 ? [] : [".SH EXAMPLES", ...exampleLines(examples)],
    ".SH EXIT STATUS",
    ...paragraph("0, 1 after a failure, 2 if the command line is wrong. Messages are on stderr."),
    ".SH SEE ALSO",
    ".BR culvert (1)",
  ].join("\n") + "\n";
}

/** The man page of culvert as a whole. */
export function overviewManPage(commands: readonly Command[]): string {
  return [
    title("culvert"),
    ".SH NAME",
    "culvert \\- forward Ethernet frames between a host and its guests without a copy",
    ".SH SYNOPSIS",
    ".B culvert",
    "COMMAND [options]",
    ".SH DESCRIPTION",
    ...paragraph(
      "Forwards Ethernet frames from a host's TAP and AF_PACKET ports into memory that a virtual " +
        "machine sees as a PCI device (ivshmem), to a forwarding loop in the guest, and back.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(({ name, summary }) => [
      ".TP",
      `.BR culvert\\-${escaped(name)} (1)`,
      ...paragraph(summary),
    ]),
    ".SH OPTIONS",
    ".TP",
    ".BR \\-h , \\-\\-help",
    "show the commands",
    ".TP",
    ".B \\-\\-version",
    "show the versions of culvert, its memory layout, its shim and Deno",
  ].join("\n") + "\n";
}

function title(name: string): string {
  return `.TH ${escaped(name.toUpperCase())} 1 ${VERSION_DATE} "Culvert ${VERSION}"`;
}

/** Texts with space between them; a list of terms stands below the text before it. */
function blocks(texts: readonly Text[]): string[] {
  return texts.flatMap((text, i) => {
    if (typeof text !== "string") return text.flatMap(([term, about]) => tagged(term, about));
    return [...i > 0 ? [".PP"] : [], ...paragraph(text)];
  });
}

function argumentLines({ name, about, choices }: Positional): string[] {
  return tagged(name, choices ? `${about} (${choices.join(", ")})` : about);
}

function tagged(term: string, about: string): string[] {
  return [".TP", `.B ${escaped(term)}`, ...paragraph(about)];
}

function optionLines(long: string, option: Option): string[] {
  const names = [
    ...option.short === undefined ? [] : [`-${option.short}`],
    dashed(long, option),
  ].map((name) => `\\fB${escaped(name)}\\fR`).join(", ");
  const argument = option.kind === "flag" ? "" : ` \\fI${escaped(option.argument)}\\fR`;
  return [
    ".TP",
    names + argument,
    ...paragraph(`${option.about} ${limitsOf(option)}`.trim()),
    ...option.kind !== "choice" || !option.meanings ? [] : [
      ".RS",
      ...Object.entries(option.meanings).flatMap(([word, about]) => tagged(word, about)),
      ".RE",
    ],
  ];
}

function exampleLines(examples: readonly Example[]): string[] {
  return examples.flatMap(({ about, line }, i) => [
    ...i > 0 ? [".PP"] : [],
    ...about === undefined ? [] : [...paragraph(`${about}:`), ".PP"],
    ".nf",
    ...commandLines(line).map((part) => plain(escaped(part))),
    ".fi",
  ]);
}

function paragraph(text: string): string[] {
  return wrap(escaped(text), WIDTH).map(plain);
}

/** Text with its backslashes escaped for man(7), and dashes that can be copied into a shell. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}

/** A line that man(7) takes for text, whatever it begins with. */
function plain(line: string): string {
  return line.replace(/^[.']/, "\\&$&");
}
