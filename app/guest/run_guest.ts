import { listeningServers } from "../region/listening_servers.ts";
import { LcoreWorker } from "../lcore/lcore.ts";
import { stdout } from "../linux/output.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { loadFunctions } from "./function/load.ts";
import { Guest } from "./guest.ts";
import type { GuestOptions } from "./guest_options.ts";
import { openRegionLink } from "./region_link.ts";

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
  log: (line: string) => void,
): Promise<void> {
  const timer = new WakeableTimer();
  const wake = () => timer.wake();
  const functions = await loadFunctions(options.functions);
  const guest = new Guest(options, functions, {
    openLink: () => openRegionLink(options.source, log),
    regionNames: () => listeningServers().map(({ region }) => region),
    spawn: (core) => new LcoreWorker(lcoreUrl, core, log, functions.handles),
    clock: () => performance.now(),
    log,
    wake,
  });
  const stop = () => {
    guest.stop();
    wake();
  };
  signal.addEventListener("abort", stop);
  if (signal.aborted) guest.stop();
  const printTable = tablePrinter(options.statsPeriod * 1000);
  try {
    for (;;) {
      guest.step();
      if (guest.isOver) break;
      printTable(guest);
      await timer.wait(guest.stepMs);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    guest.close();
  }
}

/** Prints the guest's table each time that so many milliseconds have passed; never for 0. */
function tablePrinter(periodMs: number): (guest: Guest) => void {
  let last: Guest["statistics"];
  let shownAt = 0;
  return ({ statistics }) => {
    const now = performance.now();
    if (statistics !== last) shownAt = now;
    last = statistics;
    if (statistics === undefined || periodMs === 0 || now - shownAt < periodMs) return;
    shownAt = now;
    stdout.line(statistics.table());
  };
}
