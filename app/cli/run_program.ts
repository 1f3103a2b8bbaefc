import { CulvertError, kernelError, UsageError } from "../../ffi/error.ts";
import { logWriter } from "../linux/log.ts";
import { stderr, stdout } from "../linux/output.ts";
import type { Command } from "./command.ts";
import { helpText } from "./help.ts";
import { type Parsed, parseOptions } from "./options.ts";

/** What a command does with a command line that was understood; returns the exit status. */
export type Body<T extends Command> = (parsed: Parsed<T>) => number | Promise<number>;

/** Show the help of a command if it is asked for, else run it; returns the exit status. */
export async function runCommand<T extends Command>(
  command: T,
  args: readonly string[],
  body: Body<T>,
): Promise<number> {
  const parsed = parseOptions(command, args);
  if (parsed) return await body(parsed);
  console.log(helpText(command));
  return 0;
}

/**
 * Run a program and end the process with its exit status. A failure that its user can act on is
 * told in one line: status 1, or 2 if the command line is wrong.
 *
 * @param name What the line begins with.
 */
export async function runProgram(
  name: string,
  body: () => number | Promise<number>,
): Promise<never> {
  const status = await statusOf(name, body);
  await Promise.all([stdout.flush(), stderr.flush()]);
  Deno.exit(status);
}

async function statusOf(name: string, body: () => number | Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (thrown) {
    const error = isFullDisk(thrown) ? thrown : kernelError(thrown);
    if (error instanceof CulvertError || error instanceof Deno.errors.NotCapable) {
      logWriter.line(name, error.message, { level: "error" });
    } else if (isFullDisk(error)) {
      logWriter.line(
        name,
        `Cannot write to ${fileOf(error) ?? "stdout"} as the disk is full`,
        { level: "error" },
      );
    } else throw error;
    return error instanceof UsageError ? 2 : 1;
  }
}

function isFullDisk(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}

/** The file that one of Deno's errors names; it names none if stdout cannot be written to. */
function fileOf({ message }: Error): string | undefined {
  return /: \w+ '(.+)'$/.exec(message)?.[1];
}

/** {@linkcode runProgram} for a tool of the project: `deno task NAME`. */
export async function runTool<T extends Command>(command: T, body: Body<T>): Promise<never> {
  return await runProgram(command.name, () => runCommand(command, Deno.args, body));
}
