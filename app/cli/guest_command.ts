import { UsageError } from "../../ffi/error.ts";
import type { FunctionSpec } from "../guest/function/load.ts";
import type { GuestOptions } from "../guest/guest_options.ts";
import { runGuest } from "../guest/run_guest.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { checkOpenFiles } from "../linux/open_files.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { logFor } from "./messages.ts";
import { TypeChecker } from "./check_types.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { readSet } from "./set_option.ts";
import { stopSignal } from "./stop_signal.ts";
import type { GUEST } from "./tables/guest.ts";

/**
 * What the command line of `culvert guest` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function guestOptions({ values, given }: Parsed<typeof GUEST>): GuestOptions {
  if (values.region !== undefined && values.pci !== undefined) {
    throw new UsageError("Cannot use --region and --pci together: a guest attaches to one of them");
  }
  const region = values.region ?? "culvert0";
  checkUsage(() => checkRegionName(region));
  return {
    source: values.pci === undefined ? { region } : { pci: values.pci },
    guest: values.guest,
    cores: values.cores === undefined ? usableCores().slice(-1) : parseCoreList(values.cores),
    functions: functionsOf(given, values),
    onError: values["on-error"],
    isChecked: values.check,
    takesPushes: values.push,
    portMask: values.portmask,
    portMap: values.portmap,
    portsPerLcore: values.nq,
    statsPeriod: values["stats-period"],
    burst: values.burst,
    idle: values.idle,
  };
}

/** `--function` and `--set` in their order; l2fwd if there is none. */
export function functionsOf(
  given: Parsed["given"],
  values: { readonly "mac-updating": boolean; readonly txpkts?: number },
): FunctionSpec[] {
  const specs: { named: string; set: Record<string, string> }[] = [];
  for (const { name, value } of given) {
    if (name === "function" || name === "forward-mode") {
      specs.push({ named: String(value), set: {} });
    }
    if (name !== "set") continue;
    const [key, text] = readSet(String(value));
    const last = specs.at(-1);
    if (last === undefined) {
      throw new UsageError(`Cannot use --set ${value} as no --function stands before it`);
    }
    last.set[key] = text;
  }
  if (specs.length === 0) specs.push({ named: "l2fwd", set: {} });
  for (const { named, set } of specs) {
    if (named === "l2fwd") set["mac-updating"] ??= `${values["mac-updating"]}`;
    if (named === "txonly" && values.txpkts !== undefined) set["bytes"] ??= `${values.txpkts}`;
  }
  return specs;
}

/**
 * `culvert guest`: returns the exit status.
 *
 * @param lcoreUrl The module of its lcores.
 */
export async function guestCommand(parsed: Parsed<typeof GUEST>, lcoreUrl: URL): Promise<number> {
  const say = logFor("guest", parsed.values);
  const options = guestOptions(parsed);
  checkOpenFiles("culvert guest", options.cores.length);
  const named = options.functions.map(({ named }) => named);
  using types = parsed.values.types ? new TypeChecker(named) : undefined;
  await types?.check(named);
  await runGuest({ ...options, checkTypes: types?.check }, lcoreUrl, stopSignal(say), say);
  return 0;
}
