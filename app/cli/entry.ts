import { UsageError } from "../../ffi/error.ts";
import { alternatives, type Command } from "./command.ts";
import { didYouMean } from "./did_you_mean.ts";
import { type Body, runCommand } from "./run_program.ts";

/** A command of a program: its table, and what runs it. */
export interface Entry {
  /** What it is called, and how its command line is read. */
  readonly table: Command;
  /** Run it; returns the exit status. */
  run(args: readonly string[]): Promise<number>;
}

/**
 * A command of a program.
 *
 * @param load Imports the command's code, when the command is to run.
 */
export function entry<T extends Command>(table: T, load: () => Promise<Body<T>>): Entry {
  return {
    table,
    run: (args) => runCommand(table, args, async (parsed) => await (await load())(parsed)),
  };
}

/**
 * The command of that name.
 *
 * @throws {UsageError} if there is none.
 */
export function findEntry(entries: readonly Entry[], name: string | undefined): Entry {
  const found = entries.find(({ table }) => table.name === name);
  if (found) return found;
  const names = entries.map(({ table }) => table.name);
  const meant = name === undefined ? undefined : didYouMean(name, names);
  throw new UsageError(
    `Cannot run ${name === undefined ? "nothing" : `"${name}"`} as that is no command: ` +
      (meant === undefined
        ? `there are ${
          alternatives(names).replace(/ or (\S+)$/, " and $1")
        }; culvert --help tells more`
        : `did you mean ${meant}? culvert --help tells all`),
  );
}
