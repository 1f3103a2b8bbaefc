import { UsageError } from "../../../ffi/error.ts";
import { readRegularFile } from "../../linux/kernel_file.ts";
import { type Given, type Parsed, type Values, valuesOf } from "../options.ts";
import { HOST } from "../tables/host.ts";
import { readHostConfig } from "./host_config.ts";

/** Options that make regions: they stand in the file, or on the command line. */
const PLACES = ["region", "guest", "port", "size", "mbufs", "ring-size", "numa-node"];

/**
 * A command line of `culvert host`, with what its `--config` says put before what was given.
 *
 * @throws {UsageError} naming what is wrong with the file.
 * @throws {CulvertError} if it cannot be read.
 */
export async function parsedWithConfig(
  parsed: Parsed<typeof HOST>,
): Promise<Parsed<typeof HOST>> {
  const { config } = parsed.values;
  if (config === undefined) return parsed;
  const twice = parsed.given.find(({ name }) => PLACES.includes(name));
  if (twice) {
    throw new UsageError(
      `Cannot use --${twice.name} beside --config ${config} as the file tells regions, guests and ` +
        `ports: write it there`,
    );
  }
  const given: Given[] = [
    ...await readHostConfig(config, readRegularFile(config)),
    ...parsed.given,
  ];
  return { ...parsed, given, values: valuesOf(HOST.options, given) as Values<typeof HOST.options> };
}
