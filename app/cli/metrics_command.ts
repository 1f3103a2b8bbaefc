import { UsageError } from "../../ffi/error.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { type MetricsOptions, runMetrics } from "../metrics/run_metrics.ts";
import { logFor } from "./messages.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { METRICS } from "./tables/metrics.ts";
import { VERSION } from "./version.ts";

/**
 * What the command line of `culvert metrics` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
function metricsOptions(
  { values: { listen }, positionals }: Parsed<typeof METRICS>,
): MetricsOptions {
  for (const region of positionals) checkUsage(() => checkRegionName(region));
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new UsageError(
      `Cannot use --listen ${listen} as it is no address with a port: write 127.0.0.1:9497`,
    );
  }
  const hostname = bracketed ?? plain;
  return { regions: positionals, hostname, port: Number(port), version: VERSION };
}

/** `culvert metrics`: returns the exit status. */
export async function metricsCommand(parsed: Parsed<typeof METRICS>): Promise<number> {
  const options = metricsOptions(parsed);
  const say = logFor("metrics", parsed.values);
  await runMetrics(options, stopSignal(say), say);
  return 0;
}
