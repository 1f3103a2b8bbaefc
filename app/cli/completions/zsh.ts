import { type Command, type Option, optionsOf } from "../command.ts";
import { type Offer, offerFor, offerForArgument, phraseOf, quoted, spellingsOf } from "./values.ts";

/** A file `_culvert` for a folder of zsh's $fpath. */
export function zshCompletions(commands: readonly Command[]): string {
  return `#compdef culvert
# Completions of culvert for zsh, made by "culvert completions zsh".
_culvert_regions() {
  local -a names
  names=(/run/culvert/*.sock(N:t:r))
  compadd -a names
  _files
}

_culvert() {
  local state line
  _arguments -C '(- : *)'{-h,--help}'[show help]' '(- : *)--version[show the version]' \\
    '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a commands
      commands=(
        ${quoted("help:show the help of a command")}
${commands.map(({ name, summary }) => `        ${quoted(`${name}:${summary}`)}`).join("\n")}
      )
      _describe command commands
      ;;
    rest)
      case $line[1] in
        help) _values command ${commands.map(({ name }) => name).join(" ")} ;;
${commands.map(caseOf).join("\n")}
      esac
      ;;
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _culvert "$@"
else
  compdef _culvert culvert
fi
`;
}

function caseOf(command: Command): string {
  const specs = [
    ...Object.entries(optionsOf(command)).flatMap(([long, option]) => optionSpecs(long, option)),
    ...(command.positionals ?? []).slice(0, 1).map((argument) =>
      quoted(`1:${escaped(argument.name)}${actionOf(offerForArgument(argument))}`)
    ),
  ];
  return `        ${command.name})
          _arguments -s \\
${specs.map((spec) => `            ${spec}`).join(" \\\n")}
          ;;`;
}

function optionSpecs(long: string, option: Option): string[] {
  const spellings = spellingsOf(long, option);
  const offer = offerFor(option);
  const isMany = "many" in option && option.many;
  const others = isMany ? "*" : `(${spellings.join(" ")})`;
  const about = `[${escaped(phraseOf(option.about))}]`;
  return spellings.map((spelling) => {
    const value = offer && "argument" in option
      ? `${spelling.startsWith("--") ? "=" : "+"}${about}:${escaped(option.argument)}${
        actionOf(offer)
      }`
      : about;
    return quoted(`${others}${spelling}${value}`);
  });
}

function actionOf({ words, from }: Offer): string {
  switch (from) {
    case "regions":
      return ":_culvert_regions";
    case "files":
      return ":_files";
    case "folders":
      return ":_files -/";
    default:
      return words.length === 0 ? ": " : `:(${words.map(escaped).join(" ")})`;
  }
}

/** Text in a specification of _arguments. */
function escaped(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, "\\$&");
}
