import { dirname } from "node:path";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import { HostControl } from "../host/host_control.ts";
import type { HostOptions } from "../host/host_options.ts";
import { runHost } from "../host/run_host.ts";
import { withOrigin } from "./config/config_error.ts";
import { parsedWithConfig } from "./config/with_config.ts";
import { answersOf } from "./control/answers.ts";
import { reloaded } from "./control/changes.ts";
import { controlPath } from "./control/control_path.ts";
import { type Answers, ControlServer } from "./control/control_server.ts";
import { MORE_CORES, readRegions } from "./host_places.ts";
import { capturePath } from "../region/capture_file.ts";
import { hostLockPath } from "../region/host_lock.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { checkOpenFiles } from "../linux/open_files.ts";
import { type Duties, endDuties } from "../linux/keeper.ts";
import {
  dropPrivileges,
  giveUpPermissions,
  ownsRootsFiles,
  STILL_ROOT,
} from "../linux/privileges.ts";
import { ownerFor } from "../linux/owner.ts";
import type { Log } from "../linux/log.ts";
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
  /** Read what an option says; the last that gives it, a file or the command line, counts. */
  const read = <T>(option: string, work: () => T) =>
    withOrigin(given.findLast(({ name }) => name === option)?.origin, work);
  const { cores: list, mirror } = values;
  const cores = list === undefined
    ? usableCores().slice(0, 1)
    : read("cores", () => parseCoreList(list));
  const regions = readRegions(given, cores.length, MORE_CORES);
  if (values.wipe) read("wipe", () => checkWipe(regions));
  const mirrors = read("mirror", () => readMirrors(mirror, regions));
  const { "quarantine-after": quarantineAfter, "hold-max": holdMax } = values;
  return {
    regions,
    mtu: values.mtu,
    cores,
    burst: values.burst,
    idle: values.idle,
    statsPeriod: values["stats-period"],
    ...mirrors.length === 0 ? {} : { mirrors },
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

/** Options that a reload cannot change: they take effect while the host starts. */
const ONCE = ["may-add", "control"] as const;

/** `culvert host`: returns the exit status. */
export async function hostCommand(parsed: Parsed<typeof HOST>): Promise<number> {
  const first = await parsedWithConfig(parsed);
  const { values } = first;
  const options = hostOptions(first);
  checkOpenFiles("culvert host", options.cores.length);
  const say = logFor("host", values);
  const log = limitLog(say);
  const lcoreUrl = new URL("../host/lcore_worker.ts", import.meta.url);
  const control = new HostControl();
  const reload = async () => {
    const next = await parsedWithConfig(parsed);
    const other = ONCE.find((name) => next.values[name] !== values[name]);
    if (other) throw new CulvertError(`Cannot change ${other} while the host runs: start it anew`);
    const waited = await control.change(reloaded(control.options, hostOptions(next)));
    logFor("host", next.values);
    return waited;
  };
  const drained = new AbortController();
  const hangsUp = values.config === undefined ? undefined : () => reloadOn(reload, say);
  const stop = AbortSignal.any([stopSignal(say, { hangsUp }), drained.signal]);
  const answers = answersOf({
    control,
    reload() {
      if (values.config !== undefined) return reload();
      throw new UsageError(
        "Cannot reload as there is no configuration file: culvert host --config",
      );
    },
    stop: () => drained.abort(),
  });
  const server = serveControl(values.control, answers, options);
  const settled = () => {
    const duties = dutiesOf(options, values["may-add"], server?.path);
    dropPrivileges(options.account ?? {}, duties);
    if (ownsRootsFiles()) log(STILL_ROOT, { level: "warning" });
    giveUpPermissions();
  };
  const served = server?.serve();
  try {
    stdout.line(await runHost(options, lcoreUrl, stop, log, undefined, settled, control));
  } finally {
    server?.close();
    await served;
    log.flush();
    endDuties();
  }
  return 0;
}

/** Reload the configuration file, on SIGHUP. */
async function reloadOn(reload: () => Promise<number>, say: Log): Promise<void> {
  try {
    const waited = await reload();
    say(`reloaded: frames have waited for ${waited.toFixed(0)} ms`);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    say(`goes on as before: ${error.message}`, { level: "warning" });
  }
}

/** Listen for clients, if a name is given. */
function serveControl(
  name: string | undefined,
  answers: Answers,
  { account }: HostOptions,
): ControlServer | undefined {
  if (name === undefined) return undefined;
  const path = controlPath(name);
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  return new ControlServer(path, answers, ownerFor(account ?? {}));
}

/** The patterns of `--may-add`. */
function patternsOf(text = ""): string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
}

/**
 * The interfaces that the keeper may have to open again, and the files that it removes in the end.
 */
function dutiesOf(
  { regions, mirrors = [] }: HostOptions,
  mayAdd: string | undefined,
  control: string | undefined,
): Pick<Required<Duties>, "interfaces" | "files"> {
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports))
    .concat(mirrors.map(({ to }) => to));
  const interfaces = ports.filter(isOnInterface);
  const files = regions.flatMap(({ name }) => [
    ...[hostLockPath(name), capturePath(name), isPath(name) ? name : undefined],
  ]);
  return {
    interfaces: [...interfaces.map(({ name }) => name), ...patternsOf(mayAdd)],
    files: [control, ...files].filter((path) => path !== undefined),
  };
}
