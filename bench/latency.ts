import { CulvertError } from "../ffi/error.ts";
import { type CableEnd, Network } from "../tests/kit/network.ts";
import { Child } from "./child.ts";
import { startGuest } from "./culvert_process.ts";
import { type BenchOptions, median } from "./measurement.ts";
import { ownOneFrame } from "./peers/c_path.ts";
import { requirePrograms } from "./peers/requirements.ts";
import { vhostOneFrame } from "./peers/vhost_one_frame.ts";
import { measureReadings } from "./readings.ts";
import { GUEST_CORE, oneFrame, regionFile } from "./round_trip.ts";
import { startOnOneCore, startOurs } from "./tcp.ts";
import { inNetns, startBridge } from "./wire.ts";

/** Pings of a sample, and the seconds between two: long enough for both sides to fall asleep. */
const PINGS = 200, INTERVAL = 0.02;

/** Round trips of single frames in a sample, and in a short one. */
const FRAMES = 1_000_000, FEW_FRAMES = 1000;

const FRAME_BYTES = 64;

/** Our p50 is to be three quarters of vhost-user's. */
const WANTED = 1 / 0.75;

/**
 * How long one frame takes: a ping between two namespaces through host and guest that sleep when
 * nothing comes, beside the kernel's bridge; and a frame through the memory path, host and guest
 * polling, beside DPDK's vhost-user.
 */
export async function benchLatency(options: BenchOptions): Promise<void> {
  await benchOneFrame(options);
  await benchPing(options);
}

async function benchOneFrame(options: BenchOptions): Promise<void> {
  const of = (reading: string) => `one frame by the memory path, 64 B, ${reading}`;
  const readings = { "p50": { wanted: WANTED }, "p99": {}, "p99.9": {} };
  if (!Object.keys(readings).some((reading) => options.isAsked(of(reading)))) return;
  const frames = options.scale < 1 ? FEW_FRAMES : FRAMES;
  await using file = await regionFile(`/dev/shm/culvert-bench-${Deno.pid}`);
  await using other = await regionFile(`/dev/shm/culvert-bench-${Deno.pid}-c`);
  const guest = { core: GUEST_CORE, functions: ["--function", "macswap"], idle: "poll" } as const;
  const start = () => startGuest({ region: file.path, ...guest });
  const trip = { region: file.path, frameBytes: FRAME_BYTES, start };
  await measureReadings(
    options,
    { of, unit: "ns", settings: { frames } },
    readings,
    () => oneFrame(trip, frames),
    [
      { name: "DPDK vhost-user", take: () => vhostOneFrame(FRAME_BYTES, frames), isAim: true },
      {
        name: "C, our own loop",
        take: () => ownOneFrame(other.path, FRAME_BYTES, frames),
        isAim: false,
      },
    ],
  );
}

async function benchPing(options: BenchOptions): Promise<void> {
  const readings = { "p50": { wanted: 1 / 2.5 }, "worst": {} };
  const placements = { "": startOurs, " on one core": startOnOneCore };
  const rowsOf = (where: string) => (reading: string) =>
    `ping, host and guest asleep${where}, ${reading}`;
  const asked = Object.entries(placements).filter(([where]) =>
    Object.keys(readings).some((reading) => options.isAsked(rowsOf(where)(reading)))
  );
  if (asked.length === 0) return;
  await requirePrograms("ping");
  await using network = new Network();
  const { a, b } = await network.namespacePair();
  const pings = Math.max(20, Math.round(PINGS * options.scale));
  const through = (start: () => Promise<AsyncDisposable>) => async () => {
    await using _forwarder = await start();
    await ping(a, b, 5); // resolves the address
    const times = await ping(a, b, pings);
    return [median(times), Math.max(...times)];
  };
  for (const [where, start] of asked) {
    await measureReadings(
      options,
      { of: rowsOf(where), unit: "us", settings: { pings, interval: INTERVAL } },
      readings,
      through(() => start(a, b)),
      [{
        name: "kernel bridge",
        take: through(() => startBridge([a.outer, b.outer])),
        isAim: true,
      }],
    );
  }
}

/**
 * Round trips in microseconds; each ping has to come back. One more is sent and not counted, as the
 * program waits two round trips for its last answer, no more.
 */
async function ping(a: CableEnd, b: CableEnd, count: number): Promise<number[]> {
  await using child = new Child("ping", [
    ...[...inNetns(a.netns), "ping", "-c", String(count + 1), "-i", String(INTERVAL), b.ip4],
  ]);
  const text = await child.finish();
  const times = [...text.matchAll(/icmp_seq=(\d+) .* time=([\d.]+) ms/g)]
    .filter(([, number]) => Number(number) <= count).map(([, , ms]) => Number(ms) * 1000);
  if (times.length === count) return times;
  throw new CulvertError(`Cannot measure pings as ${times.length} of ${count} came back`);
}
