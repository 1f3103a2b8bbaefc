import { runHost } from "../app/host/run_host.ts";
import { COUNTER, type Counters } from "../app/port/counters.ts";
import { GuestProcess } from "./guest_process.ts";
import { type BenchOptions, compare, type Sample } from "./measurement.ts";
import { startMemif } from "./peers/memif.ts";

const REGION_BYTES = 64 << 20;
const HOST_CORE = 0;
const GUEST_CORE = 1;
/** What was best for us; 64 is what was best for the peer. */
const BURST = 128;
const WARM_UP_FRAMES = 5e6;
const SAMPLE_SECONDS = 2;

/**
 * The memory path: host lcore -> guest process -> host lcore, each pinned to its core, headers
 * written by the host, MAC addresses swapped by the guest; million frames that came back per
 * second. The peer is DPDK's memif between two `dpdk-testpmd`, flowgen and macswap, one core each.
 *
 * The region's file stays the same through all samples, for its physical pages matter.
 */
export async function benchRoundTrip(options: BenchOptions): Promise<void> {
  const region = `/dev/shm/culvert-bench-${Deno.pid}`;
  await using _file = await regionFile(region);
  for (const frameBytes of [64, 1500]) {
    const seconds = SAMPLE_SECONDS * options.scale;
    const ours = () => sampleOurs(region, frameBytes, seconds);
    const peer: Sample = async () => {
      await using memif = await startMemif({ frameBytes, zeroCopy: false });
      return await memif.sample(seconds);
    };
    options.report(
      await compare(
        `memory round trip, ${frameBytes} B`,
        "Mpps",
        "more",
        options.pairs,
        ours,
        options.peers ? { name: "DPDK memif", sample: peer } : undefined,
      ),
    );
  }
}

async function regionFile(path: string): Promise<AsyncDisposable> {
  const file = await Deno.open(path, { createNew: true, write: true });
  await file.truncate(REGION_BYTES);
  file.close();
  return { [Symbol.asyncDispose]: () => Deno.remove(path) };
}

/** Start host and guest, warm them up, count for a while, stop them. */
async function sampleOurs(region: string, frameBytes: number, seconds: number): Promise<number> {
  const stop = new AbortController();
  let counters: Counters | undefined;
  const host = runHost(
    {
      regions: [{
        name: region,
        size: REGION_BYTES,
        mbufs: 4096,
        ringSize: 1024,
        guests: [{ number: 0, ports: [{ kind: "null", name: String(frameBytes) }] }],
      }],
      mtu: 1500,
      cores: [HOST_CORE],
      burst: BURST,
      idle: "poll",
      statsPeriod: 0,
    },
    new URL("./flow_worker.ts", import.meta.url),
    stop.signal,
    () => {},
    ([ours]) => counters = ours,
  );
  const guest = GuestProcess.start(region, GUEST_CORE, "macswap", BURST);
  const returned = () => counters?.[COUNTER.TX] ?? 0;
  try {
    await until(() => returned() >= WARM_UP_FRAMES, host);
    const [start, before] = [performance.now(), returned()];
    await until(() => performance.now() - start >= seconds * 1000, host);
    return (returned() - before) / (performance.now() - start) / 1000;
  } finally {
    await guest.stop();
    stop.abort();
    await host;
  }
}

/** Wait until `isDone`; a host that ends or fails meanwhile is an error. */
async function until(isDone: () => boolean, host: Promise<string>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error("no frames came back within 60 s");
    const tick = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20));
    if (await Promise.race([host, tick]) !== undefined) throw new Error("the host ended early");
  }
}
