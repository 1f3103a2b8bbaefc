import { checkRegionName } from "../memory/region_name.ts";
import { runTop } from "../top/run_top.ts";
import { sayFor } from "./messages.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { TOP } from "./tables/top.ts";

/** `culvert top`: returns the exit status. */
export async function topCommand({ values, positionals }: Parsed<typeof TOP>): Promise<number> {
  for (const region of positionals) checkUsage(() => checkRegionName(region));
  const { interval, count } = values;
  const options = { regions: positionals, interval, ...count === undefined ? {} : { count } };
  await runTop(options, stopSignal(sayFor("top")));
  return 0;
}
