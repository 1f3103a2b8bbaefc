import { UsageError } from "../../ffi/error.ts";
import type { HostOptions } from "../host/host_options.ts";
import { runHost } from "../host/run_host.ts";
import { parsedWithConfig } from "./config/with_config.ts";
import { readRegions } from "./host_places.ts";
import { capturePath } from "../region/capture_file.ts";
import { hostLockPath } from "../region/host_lock.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { type Duties, endDuties } from "../linux/keeper.ts";
import {
  dropPrivileges,
  giveUpPermissions,
  ownsRootsFiles,
  STILL_ROOT,
} from "../linux/privileges.ts";
import { stdout } from "../linux/output.ts";
import { limitLog } from "./log_limit.ts";
import { logFor } from "./messages.ts";
import { readMirrors } from "./mirror_option.ts";
import { isPath } from "../memory/region_name.ts";
import { isOnInterface } from "../port/port_spec.ts";
import type { Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { HOST } from "./tables/host.ts";

/**
 * What the command line of `culvert host` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function hostOptions({ values, given }: Parsed<typeof HOST>): HostOptions {
  const regions = readRegions(given);
  if (values.wipe) checkWipe(regions);
  const { "quarantine-after": quarantineAfter, "hold-max": holdMax } = values;
  return {
    regions,
    mtu: values.mtu,
    cores: values.cores === undefined ? usableCores().slice(0, 1) : parseCoreList(values.cores),
    burst: values.burst,
    idle: values.idle,
    statsPeriod: values["stats-period"],
    ...values.mirror.length === 0 ? {} : { mirrors: readMirrors(values.mirror, regions) },
    ...quarantineAfter === undefined ? {} : { quarantineAfter },
    ...holdMax === undefined ? {} : { holdMax },
    ...values.wipe ? { wipe: true } : {},
    ...values["debug-pool"] ? { debugPool: true } : {},
    account: { user: values.user, group: values.group },
  };
}

/**
 * Guests of one region see each other's frames anyway: to wipe what one of them leaves would hide
 * nothing.
 */
function checkWipe(regions: HostOptions["regions"]): void {
  const shared = regions.find(({ guests }) => guests.length > 1);
  if (!shared) return;
  throw new UsageError(
    `Cannot use --wipe with region ${shared.name} as it has ${shared.guests.length} guests: they see ` +
      `each other's frames anyway, so give each a region of its own`,
  );
}

/** `culvert host`: returns the exit status. */
export async function hostCommand(parsed: Parsed<typeof HOST>): Promise<number> {
  const options = hostOptions(await parsedWithConfig(parsed));
  const say = logFor("host", parsed.values);
  const log = limitLog(say);
  const lcoreUrl = new URL("../host/lcore_worker.ts", import.meta.url);
  const settled = () => {
    dropPrivileges(options.account ?? {}, dutiesOf(options));
    if (ownsRootsFiles()) log(STILL_ROOT, { level: "warning" });
    giveUpPermissions();
  };
  try {
    stdout.line(await runHost(options, lcoreUrl, stopSignal(say), log, undefined, settled));
  } finally {
    log.flush();
    endDuties();
  }
  return 0;
}

/** What a host may have to open again, and what it removes in the end. */
function dutiesOf(
  { regions, mirrors = [] }: HostOptions,
): Pick<Required<Duties>, "interfaces" | "files"> {
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports))
    .concat(mirrors.map(({ to }) => to));
  const interfaces = ports.filter(isOnInterface);
  return {
    interfaces: interfaces.map(({ name }) => name),
    files: regions.flatMap(({ name }) => [
      ...[hostLockPath(name), capturePath(name), isPath(name) ? name : undefined],
    ]).filter((path) => path !== undefined),
  };
}
