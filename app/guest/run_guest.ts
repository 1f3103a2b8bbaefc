import type { Log } from "../linux/log.ts";
import { listeningServers } from "../region/listening_servers.ts";
import { stdout } from "../linux/output.ts";
import { ServiceManager } from "../linux/service_manager.ts";
import { Watchdog } from "../linux/watchdog.ts";
import { ivshmemDevices } from "../linux/pci.ts";
import { LcoreWorker } from "../lcore/lcore.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { isFile } from "./function/function_name.ts";
import { loadFunctions } from "./function/load.ts";
import type { Preparation } from "./function/prepare.ts";
import { FunctionSwapper } from "./function_swapper.ts";
import { FunctionWatch } from "./function_watch.ts";
import { Guest } from "./guest.ts";
import type { GuestLcoreHandle, Saved } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";
import { openRegionLink } from "./region_link.ts";
import type { Statistics } from "./statistics.ts";

/**
 * Forward frames until `signal` says stop. When the host goes away or starts anew, attach again.
 *
 * @param lcoreUrl The module of the lcores.
 * @param log Told what happens, a line at a time.
 * @throws {CulvertError} if the region is not sound or the options do not fit it.
 */
export async function runGuest(
  options: GuestOptions,
  lcoreUrl: URL,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const timer = new WakeableTimer();
  const wake = () => timer.wake();
  const { functions } = await loadFunctions(options.functions);
  const preparation: Preparation = { specs: options.functions, idle: options.idle };
  const guest = new Guest(options, functions, {
    openLink: () => openRegionLink(options.source, log),
    regionNames: () => "pci" in options.source ? deviceNames() : regionNames(),
    spawn: (core) =>
      new LcoreWorker<GuestLcoreHandle, Saved>(lcoreUrl, core, log).prepare(preparation),
    clock: () => performance.now(),
    log,
    wake,
  });
  const manager = new ServiceManager();
  const stop = () => {
    manager.tell(["STOPPING=1"]);
    guest.stop();
    wake();
  };
  signal.addEventListener("abort", stop);
  if (signal.aborted) guest.stop();
  const swapper = new FunctionSwapper(guest, lcoreUrl, options, log);
  const files = options.functions.map(({ named }) => isFile(named) ? named : undefined);
  const watch = new FunctionWatch(files, (...saved) => swapper.reload(...saved), log);
  const maySwap = options.takesPushes || files.some((file) => file !== undefined);
  const watchdog = new Watchdog(manager);
  manager.tell(["READY=1"]); // a guest may wait for its host as long as it takes
  const printTable = tablePrinter(options.statsPeriod * 1000);
  try {
    for (;;) {
      guest.step();
      if (guest.isOver) break;
      const push = guest.forwarding?.nextPush();
      if (push !== undefined) swapper.take(push);
      if (maySwap && guest.forwarding !== undefined) swapper.getReady();
      printTable(guest);
      watchdog.feed(performance.now(), () => guest.isMoving);
      await timer.wait(guest.stepMs);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    watch.close();
    swapper.close();
    guest.close();
  }
}

/** Prints the guest's table every `periodMs` milliseconds; never for 0. */
function tablePrinter(periodMs: number): (guest: Guest) => void {
  let last: Statistics | undefined;
  let shownAt = 0;
  return ({ forwarding }) => {
    const statistics = forwarding?.statistics;
    const now = performance.now();
    if (statistics !== last) shownAt = now;
    last = statistics;
    if (statistics === undefined || periodMs === 0 || now - shownAt < periodMs) return;
    shownAt = now;
    stdout.line(statistics.table());
  };
}

function regionNames(): string[] {
  return listeningServers().map(({ region }) => region);
}

function deviceNames(): string[] {
  return ivshmemDevices().map(({ address, bytes }) => `${address} (${bytes / 2 ** 20} MiB)`);
}
