/**
 * The command line: `culvert COMMAND`.
 *
 * A command's code is imported when the command runs: help needs no shim, and `host` no esbuild.
 *
 * @module
 */
import { COMMANDS } from "./cli/commands.ts";
import { findEntry } from "./cli/entry.ts";
import { helpText, overviewText } from "./cli/help.ts";
import { runProgram } from "./cli/run_program.ts";
import { versionText } from "./cli/version.ts";

async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command === "--version" || command === "-V") {
    console.log(versionText());
    return 0;
  }
  if (command === undefined) {
    console.error(overviewText(COMMANDS.map(({ table }) => table)));
    return 2;
  }
  const isHelp = command === "help" || command === "--help" || command === "-h";
  if (!isHelp) return await findEntry(COMMANDS, command).run(args);
  console.log(
    args.length === 0
      ? overviewText(COMMANDS.map(({ table }) => table))
      : helpText(findEntry(COMMANDS, args[0]).table),
  );
  return 0;
}

if (import.meta.main) await runProgram("culvert", () => run(Deno.args));
