import { type Command, type Option, optionsOf } from "../command.ts";
import { type Offer, offerFor, offerForArgument, phraseOf } from "./values.ts";

/** What fish reads to complete `culvert`. */
export function fishCompletions(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `# Completions of culvert for fish, made by "culvert completions fish".
function __culvert_regions
    for socket in /run/culvert/*.sock
        string replace -r '.*/(.*)\\.sock$' '$1' $socket
    end
end

set -l commands help ${names}
complete -c culvert -f
complete -c culvert -n "not __fish_seen_subcommand_from $commands" -l version -d 'show the version'
complete -c culvert -n "not __fish_seen_subcommand_from $commands" -s h -l help -d 'show help'
complete -c culvert -n "not __fish_seen_subcommand_from $commands" -a help -d 'show the help of a command'
complete -c culvert -n "__fish_seen_subcommand_from help" -a ${quoted(names)}
${commands.map(linesOf).join("\n")}
`;
}

function linesOf(command: Command): string {
  const { name, summary, positionals = [] } = command;
  const inside = `complete -c culvert -n "__fish_seen_subcommand_from ${name}"`;
  return [
    `complete -c culvert -n "not __fish_seen_subcommand_from $commands" -a ${name} -d ${
      quoted(summary)
    }`,
    ...Object.entries(optionsOf(command)).flatMap(([long, option]) =>
      optionParts(long, option).map((part) => `${inside} ${part}`)
    ),
    ...positionals.slice(0, 1).map((argument) =>
      `${inside} ${valueOf(offerForArgument(argument))}`.trimEnd()
    ),
  ].join("\n");
}

function optionParts(long: string, option: Option): string[] {
  const about = ` -d ${quoted(phraseOf(option.about))}`;
  const short = option.short === undefined ? "" : `-s ${option.short} `;
  const offer = offerFor(option);
  const value = offer ? ` ${valueOf(offer)}` : "";
  const needs = !offer ? "" : offer.from ? " -r" : " -x";
  const isOn = option.kind === "flag" && option.default === true;
  return [
    `${short}-l ${long}${needs}${value}${about}`,
    ...isOn ? [`-l no-${long} -d ${quoted(`not: ${phraseOf(option.about)}`)}`] : [],
  ];
}

function valueOf({ words, from }: Offer): string {
  const offered = [...words, ...from === "regions" ? ["(__culvert_regions)"] : []].join(" ");
  const list = offered === ""
    ? ""
    : from === "regions"
    ? `-a "${offered}"`
    : `-a ${quoted(offered)}`;
  return [...from ? ["-F"] : [], list].filter(Boolean).join(" ");
}

/** Text in single quotes, as fish has them. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
