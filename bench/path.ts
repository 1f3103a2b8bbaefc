import { CulvertError } from "../ffi/error.ts";
import { runHost } from "../app/host/run_host.ts";
import { COUNTER, type Counters } from "../app/port/counters.ts";
import { startGuest } from "./culvert_process.ts";
import type { BenchOptions, Row } from "./measurement.ts";
import type { Peer } from "./peers/flow_pair.ts";
import { startMemif } from "./peers/memif.ts";
import { startVhostUser } from "./peers/vhost_user.ts";
import { pause } from "./waiting.ts";

const REGION_BYTES = 64 << 20;
const HOST_CORE = 0;
const GUEST_CORE = 1;
/** What was best for us; 64 is what was best for the peer. */
const BURST = 128;
const WARM_UP_FRAMES = 5e6;
const SAMPLE_SECONDS = 2;

/** The peers, each started anew for each sample: they have the same cores as we. */
const PEERS: Readonly<Record<string, (frameBytes: number) => Promise<Peer>>> = {
  "DPDK memif": (frameBytes) => startMemif({ frameBytes, zeroCopy: false }),
  "DPDK memif zero-copy": (frameBytes) => startMemif({ frameBytes, zeroCopy: true }),
  "DPDK vhost-user": (frameBytes) => startVhostUser({ frameBytes }),
};

/** What the guest does to frames in the rows that stand beside the peers. */
const MACSWAP = ["--function", "macswap"];

/** What else it may do, by the name of the row. */
const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  "l2fwd": ["--function", "l2fwd"],
  "access list of 64 rules": [
    ...["--function", "app/guest/examples/acl.ts", "--set", `rules=${accessList(64)}`],
    ...MACSWAP, // as the others write addresses
  ],
};

/**
 * The memory path: host lcore -> guest process -> host lcore, each pinned to its core, headers
 * written by the host, MAC addresses swapped by the guest; million frames that came back per
 * second. The peers are pairs of `dpdk-testpmd`, flowgen and macswap, one core each. Then other
 * functions, beside `macswap`.
 *
 * The region's file stays the same through all samples, for its physical pages matter.
 */
export async function benchPath(options: BenchOptions): Promise<void> {
  const region = `/dev/shm/culvert-bench-${Deno.pid}`;
  await using _file = await regionFile(region);
  const seconds = SAMPLE_SECONDS * options.scale;
  const sample = (frameBytes: number, functions: readonly string[]) => () =>
    sampleOurs({ region, frameBytes, seconds, functions });
  for (const frameBytes of [64, 1500]) {
    const peers = Object.entries(PEERS).map(([name, start]) => ({
      name,
      sample: async () => {
        await using peer = await start(frameBytes);
        return await peer.sample(seconds);
      },
    }));
    const row: Row = {
      name: `memory round trip, ${frameBytes} B`,
      unit: "Mpps",
      better: "more",
      inPlot: true,
      settings: { burst: BURST, seconds },
      warmsUp: true,
      ours: sample(frameBytes, MACSWAP),
      peers: options.peers ? peers : [],
    };
    await options.measure(row);
  }
  for (const [name, functions] of Object.entries(FUNCTIONS)) {
    await options.measure({
      name: `memory round trip, 64 B: ${name}`,
      unit: "Mpps",
      better: "more",
      settings: { burst: BURST, seconds },
      warmsUp: true,
      ours: sample(64, functions),
      peers: [{ name: "culvert macswap", sample: sample(64, MACSWAP) }],
    });
  }
}

/** Rules of all five fields for the access list: only the last fits the frames of `FlowPort`. */
function accessList(count: number): string {
  const others = Array.from({ length: count - 1 }, (_, k) => {
    const from = `198.18.0.0/${16 + k % 8}:1-${9 + k}`; // all of these fit
    return `deny ${k % 4 === 0 ? "tcp" : "udp"} from ${from} to 198.19.${k}.0/24:${10 + k}-65535`;
  });
  return [...others, "allow udp from 198.18.0.0/15:1-1023 to 198.18.0.0/15:9-10"].join(", ");
}

async function regionFile(path: string): Promise<AsyncDisposable> {
  const file = await Deno.open(path, { createNew: true, write: true });
  await file.truncate(REGION_BYTES);
  file.close();
  return { [Symbol.asyncDispose]: () => Deno.remove(path) };
}

/** What one sample is of. */
interface Sampled {
  readonly region: string;
  readonly frameBytes: number;
  readonly seconds: number;
  /** Options of the guest. */
  readonly functions: readonly string[];
}

/** Start host and guest, warm them up, count for a while, stop them. */
async function sampleOurs(
  { region, frameBytes, seconds, functions }: Sampled,
): Promise<number> {
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
  const hostEnds = host.then((): never => {
    throw new CulvertError("Cannot measure the memory path as the host ended");
  });
  hostEnds.catch(() => {/* whoever waits is told */});
  const returned = () => counters?.[COUNTER.TX] ?? 0;
  try {
    await using guest = startGuest({
      ...{ region, core: GUEST_CORE, functions, burst: BURST, idle: "poll" },
    });
    const during = <T>(what: string, wait: Promise<T>) =>
      guest.during(what, Promise.race([wait, hostEnds]));
    let last = 0;
    while (returned() < WARM_UP_FRAMES) {
      await during("wait for frames", moreThan(returned, last));
      last = returned();
    }
    const [start, before] = [performance.now(), returned()];
    await during("measure", pause(seconds * 1000));
    await during("wait for frames", moreThan(returned, before));
    return (returned() - before) / (performance.now() - start) / 1000;
  } finally {
    stop.abort();
    await host.catch(() => {/* the cause is on its way */});
  }
}

/** Settles when more than `last` frames have come back. */
async function moreThan(returned: () => number, last: number): Promise<void> {
  while (returned() <= last) await pause(20);
}
