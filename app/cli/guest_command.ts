import { UsageError } from "../../ffi/error.ts";
import type { GuestOptions } from "../guest/guest_options.ts";
import { runGuest } from "../guest/run_guest.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { sayFor } from "./messages.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { GUEST } from "./tables/guest.ts";

/**
 * What the command line of `culvert guest` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function guestOptions({ values }: Parsed<typeof GUEST>): GuestOptions {
  if (values.region !== undefined && values.pci !== undefined) {
    throw new UsageError("Cannot use --region and --pci together: a guest attaches to one of them");
  }
  const region = values.region ?? "culvert0";
  checkUsage(() => checkRegionName(region));
  return {
    source: values.pci === undefined ? { region } : { pci: values.pci },
    guest: values.guest,
    cores: values.cores === undefined ? usableCores().slice(-1) : parseCoreList(values.cores),
    mode: values["forward-mode"],
    macUpdating: values["mac-updating"],
    portMask: values.portmask,
    portMap: values.portmap,
    portsPerLcore: values.nq,
    statsPeriod: values["stats-period"],
    txBytes: values.txpkts,
    burst: values.burst,
    idle: values.idle,
  };
}

/**
 * `culvert guest`: returns the exit status.
 *
 * @param lcoreUrl The module of its lcores.
 */
export async function guestCommand(parsed: Parsed<typeof GUEST>, lcoreUrl: URL): Promise<number> {
  const say = sayFor("guest");
  await runGuest(guestOptions(parsed), lcoreUrl, stopSignal(say), say);
  return 0;
}
