import { CulvertError } from "../../ffi/error.ts";
import type { Log } from "../linux/log.ts";
import { bindToNode } from "../linux/numa.ts";
import { HEADER, REGION_STATE } from "../memory/layout.ts";
import type { Counters } from "../port/counters.ts";
import { makeCaptureArea } from "../region/capture_file.ts";
import { type HostedMemory, hostRegionMemory } from "../region/hosted_memory.ts";
import { HostControl } from "./host_control.ts";
import { HostCourse } from "./host_course.ts";
import type { HostOptions, RegionOptions } from "./host_options.ts";
import { regionBytesFor } from "./lay_out.ts";

/** Setting up a region of so many bytes takes a second or more, and is announced. */
const LARGE_BYTES = 2 ** 30;

/** Interrupt vectors of a peer, where we start the server: for so many lcores at least. */
const VECTORS_MIN = 4;

/**
 * Forward between ports and guests until `signal` says stop; then forward the frames that are still
 * under way.
 *
 * @param lcoreUrl The module of the lcores.
 * @param log Told what happens, a line at a time.
 * @param observe Given the counters of all ports in the order of the options; they go on counting.
 * @param settled Called once all is set up, before the first frame: what that needed may be given
 * up.
 * @param control Changes the host's options while it runs.
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
  control: HostControl = new HostControl(),
): Promise<string> {
  const memories: HostedMemory[] = [];
  try {
    const vectors = Math.max(VECTORS_MIN, options.cores.length);
    for (const region of options.regions) {
      memories.push(await hostMemory(region, vectors, options, log));
    }
    return await new HostCourse(options, memories, lcoreUrl, signal, log, control)
      .run(observe, settled);
  } finally {
    for (const hosted of memories) {
      abandon(hosted);
      hosted.close();
    }
  }
}

async function hostMemory(
  region: RegionOptions,
  vectors: number,
  { account = {}, mtu, cores }: HostOptions,
  log: Log,
): Promise<HostedMemory> {
  const { name, size, numaNode } = region;
  const newBytes = regionBytesFor(region, mtu);
  if ((size ?? newBytes) >= LARGE_BYTES) {
    log(`region ${name} is large: its memory takes about a second for each GiB`);
  }
  const hosted = await hostRegionMemory(name, size, vectors, account, newBytes);
  try {
    if (numaNode !== undefined) bindToNode(hosted.memory, numaNode);
  } catch (error) {
    hosted.close();
    throw error;
  }
  const orLog = <T>(act: () => T): T | undefined => {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      log(`nobody can capture at region ${name}: ${error.message}`, { level: "warning" });
    }
  };
  // Made now, and kept over changes: later we may have no right to the folder.
  const made = orLog(() => makeCaptureArea(name, cores.length, account));
  return {
    ...hosted,
    capture(ports) {
      const points = made && orLog(() => made.places.take(ports));
      return points && { memory: made!.places.area.memory, points };
    },
    close() {
      made?.close();
      hosted.close();
    },
  };
}

/** A region that was never opened to guests has no users: its server need not wait for us. */
function abandon({ memory }: HostedMemory): void {
  if (memory.load(HEADER.STATE) !== REGION_STATE.BUILDING) return;
  memory.store(HEADER.STATE, REGION_STATE.CLOSED);
}
