import type { Log } from "../linux/log.ts";
import { LcoreWorker } from "../lcore/lcore.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { bindToNode } from "../linux/numa.ts";
import { hasLostKeeper } from "../linux/keeper.ts";
import { stdout } from "../linux/output.ts";
import { ServiceManager } from "../linux/service_manager.ts";
import { Watchdog } from "../linux/watchdog.ts";
import { HEADER, REGION_STATE } from "../memory/layout.ts";
import type { Counters } from "../port/counters.ts";
import { openPort } from "../port/open_port.ts";
import { makeCaptureArea } from "../region/capture_file.ts";
import { type HostedMemory, hostRegionMemory } from "../region/hosted_memory.ts";
import { Host } from "./host.ts";
import type { HostOptions, RegionOptions } from "./host_options.ts";
import { regionBytesFor } from "./lay_out.ts";
import { LiveTable } from "./summary.ts";

/** Interrupt vectors of a peer, where we start the server: for so many lcores at least. */
const VECTORS_MIN = 4;

const LOST_KEEPER =
  "the keeper has ended: forwarding goes on, but an interface that is made anew is not " +
  "opened, a server that is killed has no successor, and what is to be undone in the end stays";

/**
 * Forward between ports and guests until `signal` says stop; then bring home the frames that are
 * under way.
 *
 * @param lcoreUrl The module of the lcores.
 * @param log Told what happens, a line at a time.
 * @param observe Given the counters of all ports in the order of the options; they go on counting.
 * @param settled Called once all is set up, before the first frame: what that needed may be given
 * up.
 * @returns the summary.
 * @throws {CulvertError} if a port or a region cannot be set up. Nothing is left behind.
 */
export async function runHost(
  options: HostOptions,
  lcoreUrl: URL,
  signal: AbortSignal,
  log: Log,
  observe: (counters: readonly Counters[]) => void = () => {},
  settled: () => void = () => {},
): Promise<string> {
  const memories: HostedMemory[] = [];
  try {
    const vectors = Math.max(VECTORS_MIN, options.cores.length);
    for (const region of options.regions) {
      memories.push(await hostMemory(region, vectors, options));
    }
    const host = new Host(options, memories, {
      openPort,
      spawn: (core) => new LcoreWorker(lcoreUrl, core, log),
      clock: () => performance.now(),
      log,
    });
    try {
      observe(host.counters);
      await host.ready(); // modules are loaded with our first permissions,
      settled(); // frames are moved without them
      host.start();
      const manager = new ServiceManager();
      manager.tell([
        "READY=1",
        `STATUS=forwarding: ${host.ports.map(({ name }) => name).join(", ")}`,
      ]);
      await follow(host, options.statsPeriod, signal, log, manager);
      return host.summary;
    } finally {
      host.abort();
      await host.lcoresEnd().catch(() => {}); // if one has failed, that was thrown above
      host.close();
    }
  } finally {
    for (const hosted of memories) {
      abandon(hosted);
      hosted.close();
    }
  }
}

/** Step by step, until the host is over. */
async function follow(
  host: Host,
  statsPeriod: number,
  signal: AbortSignal,
  log: Log,
  manager: ServiceManager,
): Promise<void> {
  const timer = new WakeableTimer();
  const watchdog = new Watchdog(manager);
  const wake = () => timer.wake();
  const stop = () => {
    manager.tell(["STOPPING=1"]);
    host.stop();
    wake();
  };
  const ended = host.lcoresEnd();
  ended.catch(() => {}).finally(wake);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const table = new LiveTable(host.ports);
  let shownAt = performance.now();
  try {
    while (!host.isOver) {
      await timer.wait(host.stepMs);
      host.step();
      watchdog.feed(performance.now(), () => host.isMoving);
      if (hasLostKeeper()) log(LOST_KEEPER, { level: "error" });
      if (statsPeriod === 0 || performance.now() - shownAt < statsPeriod * 1000) continue;
      shownAt = performance.now();
      stdout.line(table.text());
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  await ended;
}

async function hostMemory(
  region: RegionOptions,
  vectors: number,
  { account = {}, mtu }: HostOptions,
): Promise<HostedMemory> {
  const { name, size, numaNode } = region;
  const newBytes = regionBytesFor(region, mtu);
  const hosted = await hostRegionMemory(name, size, vectors, account, newBytes);
  try {
    if (numaNode !== undefined) bindToNode(hosted.memory, numaNode);
    hosted.capture = (lcores, ports) => makeCaptureArea(name, lcores, ports, account);
    return hosted;
  } catch (error) {
    hosted.close();
    throw error;
  }
}

/** A region that was never opened to guests has no users: its server need not wait for us. */
function abandon({ memory }: HostedMemory): void {
  if (memory.load(HEADER.STATE) !== REGION_STATE.BUILDING) return;
  memory.store(HEADER.STATE, REGION_STATE.CLOSED);
}
