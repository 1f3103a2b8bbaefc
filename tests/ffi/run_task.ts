import { CulvertError, UsageError } from "../../ffi/error.ts";

/**
 * Run what a task of the project does, and end this process: with status 0 if it returns true, 1 if not or if it
 * throws a `CulvertError`, 2 if that is a `UsageError`. With `--help` it only tells the usage.
 */
export async function runTask(
  usage: string,
  task: (args: readonly string[]) => Promise<boolean>,
): Promise<never> {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    console.log(usage);
    Deno.exit(0);
  }
  try {
    Deno.exit(await task(Deno.args) ? 0 : 1);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    console.error(error.message);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
