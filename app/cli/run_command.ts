import { runGuest } from "../guest/run_guest.ts";
import { runHost } from "../host/run_host.ts";
import { usableCores } from "../linux/core_list.ts";
import { remove } from "../linux/files.ts";
import { checkOpenFiles } from "../linux/open_files.ts";
import { stdout } from "../linux/output.ts";
import { BURST_DEFAULT } from "../ring/burst.ts";
import { TypeChecker } from "./check_types.ts";
import { functionsOf } from "./guest_command.ts";
import { readRegions } from "./host_places.ts";
import { limitLog } from "./log_limit.ts";
import { logFor, sayFor } from "./messages.ts";
import type { Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { RUN } from "./tables/run.ts";

/** Where the lcores' modules are. */
export interface LcoreUrls {
  /** The host's. */
  readonly host: URL;
  /** The guest's. */
  readonly guest: URL;
}

/**
 * `culvert run`: a host and a guest in this process. The guest ends before the host, so that all
 * frames come home. Returns the exit status.
 */
export async function runCommand(
  { values, given }: Parsed<typeof RUN>,
  urls: LcoreUrls,
): Promise<number> {
  // Not by the PID alone: containers that share /dev/shm may have processes of the same number.
  const region = `/dev/shm/culvert-run-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
  // If a thread does not return, the host cannot end in order, and the process exits.
  globalThis.addEventListener("unload", () => remove(region));
  const cores = usableCores();
  const both = { burst: BURST_DEFAULT, idle: "adaptive" } as const;
  const regions = readRegions([{ name: "region", value: region }, ...given], cores.length);
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
  const lcores = Math.max(...ports.map(({ queues = 1 }) => queues));
  checkOpenFiles("culvert run", 2 * lcores);
  const functions = functionsOf(given, values);
  const named = functions.map(({ named }) => named);
  using types = values.types ? new TypeChecker(named) : undefined;
  await types?.check(named);
  const say = logFor("run", values);
  const stop = stopSignal(say);
  const log = limitLog(sayFor("run: host"));
  const [guestStop, hostStop] = [new AbortController(), new AbortController()];
  stop.addEventListener("abort", () => guestStop.abort());

  const hostOptions = { ...both, regions, mtu: values.mtu, cores: cores.slice(0, lcores) };
  const host = runHost({ ...hostOptions, statsPeriod: 0 }, urls.host, hostStop.signal, log)
    .finally(() => guestStop.abort());
  const guestOptions = {
    ...both,
    source: { region },
    guest: 0,
    cores: cores.slice(-lcores),
    functions,
  };
  const guest = runGuest(
    {
      ...guestOptions,
      checkTypes: types?.check,
      takesPushes: false,
      isChecked: values.check,
      onError: values["on-error"],
      statsPeriod: values["stats-period"],
    },
    urls.guest,
    guestStop.signal,
    sayFor("run: guest"),
  ).finally(() => hostStop.abort());
  const [hosted, forwarded] = await Promise.allSettled([host, guest]);
  log.flush();
  if (hosted.status === "rejected") throw hosted.reason;
  stdout.line(hosted.value);
  if (forwarded.status === "rejected") throw forwarded.reason;
  return 0;
}
