import { CulvertError } from "../ffi/error.ts";
import { runHost } from "../app/host/run_host.ts";
import { COUNTER, type Counters } from "../app/port/counters.ts";
import type { Child } from "./child.ts";
import { ONE_FRAME_GOES_ON } from "./one_frame_port.ts";
import { pause, within } from "./waiting.ts";

/** Bytes of a region where nothing else is told. */
export const REGION_BYTES = 64 << 20;
const HOST_CORE = 0;
/** The guest's core. */
export const GUEST_CORE = 1;
/** What was best for us; 64 is what was best for the peer. */
export const BURST = 128;
const WARM_UP_FRAMES = 5e6;

/** What one sample is of. */
export interface RoundTrip {
  /** A file. */
  readonly region: string;
  readonly regionBytes?: number;
  /** Default 4096 for each guest. */
  readonly mbufs?: number;
  readonly frameBytes: number;
  readonly seconds: number;
  /** Guests, each with a port of its own that makes frames. Default 1. */
  readonly guests?: number;
  /** Starts the program that they are in. */
  readonly start: () => Child;
}

/** A file for a region, as long as the result lives: which pages it has matters. */
export async function regionFile(
  path: string,
  bytes = REGION_BYTES,
): Promise<AsyncDisposable & { path: string }> {
  const file = await Deno.open(path, { createNew: true, write: true });
  await file.truncate(bytes);
  file.close();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

/**
 * The memory path once: start host and guests, warm them up, count for a while, stop them.
 *
 * @returns Million frames that came back per second, over all guests.
 * @throws {CulvertError} if host or guests end, or no frames come back from one of them.
 */
export async function roundTrip(trip: RoundTrip): Promise<number> {
  const worker = new URL("./flow_worker.ts", import.meta.url);
  return await withHost(trip, worker, () => {}, async (during, counters) => {
    const returned = () => counters.map((port) => port[COUNTER.TX]);
    let last = counters.map(() => 0);
    while (sum(last) < WARM_UP_FRAMES) {
      await during("wait for frames", moreThan(returned, last));
      last = returned();
    }
    const [begun, before] = [performance.now(), returned()];
    await during("measure", pause(trip.seconds * 1000));
    await during("wait for frames", moreThan(returned, before));
    return (sum(returned()) - sum(before)) / (performance.now() - begun) / 1000;
  });
}

/**
 * Round trips of single frames by the memory path.
 *
 * @returns p50, p99 and p99.9 of so many, in nanoseconds.
 * @throws {CulvertError} as {@linkcode roundTrip} does.
 */
export async function oneFrame(
  trip: Omit<RoundTrip, "seconds">,
  frames: number,
): Promise<number[]> {
  const worker = new URL("./one_frame_worker.ts", import.meta.url);
  worker.search = `frames=${frames}`;
  let told = Promise.withResolvers<void>();
  let found: number[] | undefined;
  const hear = (line: string) => {
    const [, times] = /one frame: (\S+)/.exec(line) ?? [];
    if (times === undefined) return;
    if (times !== ONE_FRAME_GOES_ON) found = times.split(",").map(Number);
    told.resolve();
    told = Promise.withResolvers();
  };
  return await withHost(trip, worker, hear, async (during) => {
    while (found === undefined) await during("time single frames", told.promise);
    return found;
  });
}

/** Waits for something while host and guests run; fails if they end. */
type During = <T>(what: string, wait: Promise<T>) => Promise<T>;

async function withHost<T>(
  { region, regionBytes = REGION_BYTES, frameBytes, guests = 1, start, ...rest }: Omit<
    RoundTrip,
    "seconds"
  >,
  worker: URL,
  log: (line: string) => void,
  use: (during: During, counters: readonly Counters[]) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const settled = Promise.withResolvers<void>();
  let counters: readonly Counters[] = [];
  const host = runHost(
    {
      regions: [{
        name: region,
        size: regionBytes,
        mbufs: rest.mbufs ?? guests * 4096,
        ringSize: 1024,
        guests: Array.from({ length: guests }, (_, number) => ({
          number,
          ports: [{ kind: "null", name: String(frameBytes) }],
        })),
      }],
      ...{ mtu: 1500, cores: [HOST_CORE], burst: BURST, idle: "poll", statsPeriod: 0 },
    },
    worker,
    stop.signal,
    log,
    (ours) => counters = ours,
    () => settled.resolve(),
  );
  const hostEnds = host.then((): never => {
    throw new CulvertError("Cannot measure the memory path as the host ended");
  });
  hostEnds.catch(() => {/* whoever waits is told */});
  try {
    await within("wait for the host", Promise.race([settled.promise, hostEnds]));
    await using program = start();
    const during: During = (what, wait) => program.during(what, Promise.race([wait, hostEnds]));
    return await use(during, counters);
  } finally {
    stop.abort();
    await host.catch(() => {/* the cause is on its way */});
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Settles when more frames than `last` have come back by each port. */
async function moreThan(returned: () => number[], last: readonly number[]): Promise<void> {
  while (!returned().every((frames, port) => frames > last[port])) await pause(20);
}
