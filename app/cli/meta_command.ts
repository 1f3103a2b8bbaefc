/**
 * The commands `culvert completions` and `culvert man`: texts that are made from the option tables.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { bashCompletions } from "./completions/bash.ts";
import { fishCompletions } from "./completions/fish.ts";
import { zshCompletions } from "./completions/zsh.ts";
import { type Entry, findEntry } from "./entry.ts";
import { manPage, overviewManPage } from "./man_page.ts";
import type { Parsed } from "./options.ts";
import type { COMPLETIONS, MAN, SHELLS } from "./tables/meta.ts";

type Shell = (typeof SHELLS)[number];

const MAKERS: Readonly<Record<Shell, (commands: readonly Command[]) => string>> = {
  bash: bashCompletions,
  zsh: zshCompletions,
  fish: fishCompletions,
};

/** `culvert completions SHELL`: returns the exit status. */
export function completionsCommand(
  { positionals }: Parsed<typeof COMPLETIONS>,
  entries: readonly Entry[],
): number {
  console.log(MAKERS[positionals[0] as Shell](entries.map(({ table }) => table)));
  return 0;
}

/** `culvert man [COMMAND]`: returns the exit status. */
export function manCommand(
  { positionals: [name] }: Parsed<typeof MAN>,
  entries: readonly Entry[],
): number {
  console.log(
    name === undefined
      ? overviewManPage(entries.map(({ table }) => table))
      : manPage(findEntry(entries, name).table),
  );
  return 0;
}
