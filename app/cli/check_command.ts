import { CulvertError, UsageError } from "../../ffi/error.ts";
import { stdout } from "../linux/output.ts";
import { parsedWithConfig } from "./config/with_config.ts";
import { hostOptions } from "./host_command.ts";
import { type Parsed, parseOptions } from "./options.ts";
import type { CHECK } from "./tables/check.ts";
import { HOST } from "./tables/host.ts";

/** `culvert check`: returns the exit status. */
export async function checkCommand({ positionals: [file] }: Parsed<typeof CHECK>): Promise<number> {
  try {
    const { regions } = hostOptions(
      await parsedWithConfig(parseOptions(HOST, ["--config", file])!),
    );
    const guests = regions.flatMap(({ guests }) => guests);
    const ports = guests.flatMap(({ ports }) => ports);
    stdout.line(
      `${file}: ${count(regions, "region")}, ${count(guests, "guest")}, ${count(ports, "port")}`,
    );
  } catch (error) {
    throw error instanceof UsageError ? new CulvertError(error.message) : error;
  }
  return 0;
}

function count({ length }: readonly unknown[], noun: string): string {
  return `${length} ${noun}${length === 1 ? "" : "s"}`;
}
