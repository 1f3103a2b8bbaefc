import { fileURLToPath } from "node:url";
import { AskedWorker } from "./asked_worker.ts";
import { Child } from "./child.ts";
import type { IdleChannelsOrder } from "./idle_channel_worker.ts";
import type { BenchOptions } from "./measurement.ts";
import { BURST, GUEST_CORE, regionFile, roundTrip } from "./round_trip.ts";

const SAMPLE_SECONDS = 1;

/** Frames of the rows with several guests, and with many mbufs. */
const FRAME_BYTES = 64;

/** A frame of several guests may take so much of what it takes with one: the ratio wanted. */
const WANTED = 1 / 1.3;

/** A million mbufs of 2 KiB and more. */
const MANY_MBUFS = 1e6, MANY_BYTES = 4 * 2 ** 30;

/** Channels that an idle host's loop looks at: the difference is what each of them costs. */
const FEW_CHANNELS = 1, MANY_CHANNELS = 32;

/** Turns of that loop in one sample. */
const TURNS = 200_000;

/**
 * What more of everything costs: guests, each with a port of its own that makes frames, mbufs, and
 * channels that nothing goes through. The peer of the first two is the same with one guest, or with
 * 4096 mbufs.
 */
export async function benchScale(options: BenchOptions): Promise<void> {
  const { scale, peers, isAsked, measure } = options;
  const seconds = SAMPLE_SECONDS * scale;
  const region = `/dev/shm/culvert-bench-${Deno.pid}`;
  const nsAFrame = async (guests: number, more: { mbufs?: number; regionBytes?: number } = {}) => {
    const start = () => startGuests(region, guests);
    const trip = { region, frameBytes: FRAME_BYTES, seconds, guests, start, ...more };
    return 1000 / await roundTrip(trip);
  };
  const row = { unit: "ns", better: "less", warmsUp: true } as const;
  for (const guests of [4, 8]) {
    const name = `a frame of ${guests} guests, 64 B`;
    if (!isAsked(name)) continue;
    await using _file = await regionFile(region, 128 << 20);
    const ours = (guests: number) => () => nsAFrame(guests, { regionBytes: 128 << 20 });
    await measure({
      ...row,
      name,
      settings: { burst: BURST, seconds },
      ours: ours(guests),
      peers: peers ? [{ name: "one guest", sample: ours(1), wanted: WANTED }] : [],
    });
  }
  const name = "a frame among a million mbufs, 64 B";
  if (isAsked(name)) {
    await using _file = await regionFile(region, MANY_BYTES);
    const ours = (mbufs: number) => () => nsAFrame(1, { mbufs, regionBytes: MANY_BYTES });
    await measure({
      ...row,
      name,
      settings: { burst: BURST, seconds, mbufs: MANY_MBUFS },
      ours: ours(MANY_MBUFS),
      peers: peers ? [{ name: "4096 mbufs", sample: ours(4096) }] : [],
    });
  }
  await measureIdleChannel(options);
}

async function measureIdleChannel({ scale, measure }: BenchOptions): Promise<void> {
  using lcore = new AskedWorker<IdleChannelsOrder, number>(
    new URL("./idle_channel_worker.ts", import.meta.url),
  );
  const turn = (channels: number) =>
    lcore.ask({ core: 0, channels, turns: Math.ceil(TURNS * scale) });
  await measure({
    name: "an idle channel, each turn of its lcore",
    unit: "ns",
    better: "less",
    settings: { channels: MANY_CHANNELS },
    ours: async () =>
      (await turn(MANY_CHANNELS) - await turn(FEW_CHANNELS)) / (MANY_CHANNELS - FEW_CHANNELS),
    peers: [],
  });
}

/** Guests whose lcores share a thread, as there is one core for them. */
function startGuests(region: string, guests: number): Child {
  const module = fileURLToPath(new URL("./guests_process.ts", import.meta.url));
  return new Child("the guests", [
    ...[Deno.execPath(), "run", "-A", "--no-check", module],
    ...[region, String(guests), String(GUEST_CORE), String(BURST)],
  ]);
}
