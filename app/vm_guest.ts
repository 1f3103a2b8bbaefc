/**
 * The guest app of a VM image: program and lcore in one module, so that it bundles into one file.
 *
 * Its first argument is a command: `guest` or `inspect`.
 *
 * @module
 */
import { entry, findEntry } from "./cli/entry.ts";
import { runProgram } from "./cli/run_program.ts";
import { GUEST } from "./cli/tables/guest.ts";
import { INSPECT } from "./cli/tables/inspect.ts";

const COMMANDS = [
  entry(GUEST, async () => {
    const { guestCommand } = await import("./cli/guest_command.ts");
    return (parsed) => guestCommand(parsed, new URL(import.meta.url));
  }),
  entry(INSPECT, async () => (await import("./cli/inspect_command.ts")).inspectCommand),
];

if ("WorkerGlobalScope" in globalThis) {
  await import("./guest/lcore_worker.ts");
} else {
  const [command, ...args] = Deno.args;
  await runProgram("culvert", () => findEntry(COMMANDS, command).run(args));
}
