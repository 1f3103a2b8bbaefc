import { type Command, optionsOf } from "../command.ts";
import { type Offer, offerFor, offerForArgument, quoted, spellingsOf } from "./values.ts";

/** What bash runs to complete `culvert`. It needs nothing but bash 4. */
export function bashCompletions(commands: readonly Command[]): string {
  return String.raw`# Completions of culvert for bash, made by "culvert completions bash".
_culvert() {
  local cur=${"${COMP_WORDS[COMP_CWORD]}"} prev=${"${COMP_WORDS[COMP_CWORD-1]}"}
  # bash takes --option=value for three words
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${"${COMP_WORDS[COMP_CWORD-2]}"}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    ${words(["help", "--help", "--version", ...commands.map(({ name }) => name)])}
    return
  fi
  case ${"${COMP_WORDS[1]}"} in
    help)
      ${words(commands.map(({ name }) => name))}
      ;;
${commands.map(caseOf).join("\n")}
  esac
}

# Names of regions that a server keeps
_culvert_regions() {
  local socket
  for socket in /run/culvert/*.sock; do
    socket=${"${socket##*/}"}
    [[ $socket == '*.sock' ]] || echo "${"${socket%.sock}"}"
  done
}

complete -o bashdefault -F _culvert culvert
`;
}

/** What is offered behind one command. */
function caseOf(command: Command): string {
  const options = Object.entries(optionsOf(command));
  const valued = options.flatMap(([long, option]) => {
    const offer = offerFor(option);
    if (!offer) return [];
    return [`        ${spellingsOf(long, option).join("|")}) ${reply(offer)}; return ;;`];
  });
  const arguments_ = (command.positionals ?? []).slice(0, 1).map(offerForArgument).map(reply);
  const all = options.flatMap(([long, option]) => spellingsOf(long, option));
  return [
    `    ${command.name})`,
    ...valued.length === 0 ? [] : ["      case $prev in", ...valued, "      esac"],
    `      if [[ $cur == -* ]]; then`,
    `        ${words(all)}`,
    ...arguments_.length === 0 ? [] : ["      else", `        ${arguments_[0]}`],
    "      fi",
    "      ;;",
  ].join("\n");
}

function reply({ words: known, from }: Offer): string {
  const list = [...known, ...from === "regions" ? ["$(_culvert_regions)"] : []].join(" ");
  const more = from === undefined ? "" : from === "folders" ? "-d " : "-f ";
  if (list === "" && more === "") return ":";
  if (from) return `compopt -o filenames; ${offered(`${more}-W "${list}"`)}`;
  const ends = known.some((word) => word.endsWith(":")) ? "compopt -o nospace; " : "";
  return `${ends}${words(known)}`;
}

function words(list: readonly string[]): string {
  return offered(`-W ${quoted(list.join(" "))}`);
}

function offered(what: string): string {
  return `mapfile -t COMPREPLY < <(compgen ${what} -- "$cur")`;
}
