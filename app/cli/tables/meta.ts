import type { Command } from "../command.ts";

/** Shells that completions are made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** `culvert completions`. */
export const COMPLETIONS = {
  name: "completions",
  summary: "print what completes command lines in a shell",
  usage: ["SHELL"],
  positionals: [{ name: "SHELL", choices: SHELLS, about: "the shell" }],
  options: {},
  text: [
    [
      ["bash", "put the output into ~/.local/share/bash-completion/completions/culvert"],
      ["zsh", "put it into a file _culvert in a folder of $fpath"],
      ["fish", "put it into ~/.config/fish/completions/culvert.fish"],
    ],
    "They are for a command that is called culvert, such as a script that runs: deno run " +
    "app/main.ts.",
  ],
  examples: [{ line: "source <(culvert completions bash)" }],
} as const satisfies Command;

/** `culvert man`. */
export const MAN = {
  name: "man",
  summary: "print a man page",
  usage: ["[COMMAND]"],
  positionals: [{
    name: "COMMAND",
    optional: true,
    about: "of this command; without it, of culvert as a whole",
  }],
  options: {},
  examples: [{ line: "culvert man host | man -l -" }],
} as const satisfies Command;
