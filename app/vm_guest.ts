/**
 * The guest app of a VM image: program and lcore in one module, so that it bundles into one file.
 *
 * Its first argument is a command: `guest` or `inspect`.
 *
 * @module
 */
import { CulvertError, UsageError } from "../ffi/error.ts";

async function run([command, ...args]: string[]): Promise<number> {
  switch (command) {
    case "guest": {
      const { guestCommand } = await import("./cli/guest_command.ts");
      return await guestCommand(args, new URL(import.meta.url));
    }
    case "inspect":
      return await (await import("./cli/inspect_command.ts")).inspectCommand(args);
    default:
      throw new UsageError(
        `Cannot run ${command ? `"${command}"` : "nothing"} in a VM as it is no command there: ` +
          `guest and inspect are`,
      );
  }
}

if ("WorkerGlobalScope" in globalThis) {
  await import("./guest/lcore_worker.ts");
} else {
  try {
    Deno.exit(await run(Deno.args));
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    console.error(`culvert: ${error.message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
