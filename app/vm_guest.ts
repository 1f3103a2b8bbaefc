/**
 * The guest app of a VM image: program and lcore in one module, so that it bundles into one file.
 *
 * @module
 */
import { CulvertError, UsageError } from "../ffi/error.ts";

if ("WorkerGlobalScope" in globalThis) {
  await import("./guest/lcore_worker.ts");
} else {
  try {
    const { guestCommand } = await import("./guest_command.ts");
    Deno.exit(await guestCommand(Deno.args.slice(1), new URL(import.meta.url)));
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    console.error(`culvert: ${error.message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
