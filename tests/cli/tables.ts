import { COMMANDS } from "../../app/cli/commands.ts";
import type { Command } from "../../app/cli/command.ts";
import { type Parsed, parseOptions } from "../../app/cli/options.ts";
import { DEMO } from "../../app/demo/table.ts";
import { BENCH } from "../../bench/table.ts";
import { DEATHS, HOSTILE } from "../hostile/table.ts";
import { LITMUS } from "../litmus/table.ts";
import { MODEL } from "../model/table.ts";
import { MUTATION } from "../mutation/table.ts";
import { SOAK } from "../soak/table.ts";
import { STRESS } from "../stress/table.ts";

/** All commands of the project that have an option table. */
export const TABLES: readonly Command[] = [
  ...COMMANDS.map(({ table }) => table),
  ...[DEMO, BENCH, MODEL, MUTATION, LITMUS, STRESS, HOSTILE, DEATHS, SOAK],
];

/** Understand a command line that asks for no help. */
export function parsed<T extends Command>(table: T, args: readonly string[]): Parsed<T> {
  const found = parseOptions(table, args);
  if (found === undefined) throw new Error(`${args.join(" ")} asks for help`);
  return found;
}
