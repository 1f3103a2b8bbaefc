import { startGuest } from "./culvert_process.ts";
import type { BenchOptions, RowPeer } from "./measurement.ts";
import { startOwnPath, startRtePath } from "./peers/c_path.ts";
import type { Peer } from "./peers/flow_pair.ts";
import { mountHugepages } from "./peers/hugepages.ts";
import { startMemif } from "./peers/memif.ts";
import { startVhostUser } from "./peers/vhost_user.ts";
import { BURST, GUEST_CORE, REGION_BYTES, regionFile, roundTrip } from "./round_trip.ts";

const SAMPLE_SECONDS = 1;

/** What the memory of a row is made of. */
const MEMORIES = [{ pages: "hugepages", isHuge: true }, { pages: "4 KiB pages", isHuge: false }];

/** How many times the rate of each peer is wanted. */
const WANTED = { best: 3, rings: 1.5, own: 0.85 };

/** The peers on such memory; each sleeps but for its samples, as all have the same cores. */
function peersOn(isHuge: boolean, file: string): Record<string, PathPeer> {
  const virtual: Record<string, PathPeer> = {
    "DPDK memif": {
      start: (frameBytes) => startMemif({ frameBytes, zeroCopy: false }),
      wanted: WANTED.best,
    },
    "DPDK memif zero-copy": {
      start: (frameBytes) => startMemif({ frameBytes, zeroCopy: true }),
      wanted: WANTED.best,
    },
    "DPDK vhost-user": {
      start: (frameBytes) => startVhostUser({ frameBytes, generator: "guest" }),
      wanted: WANTED.best,
    },
    "DPDK vhost-user, host generates": {
      start: (frameBytes) => startVhostUser({ frameBytes, generator: "host" }),
      wanted: WANTED.best,
    },
  };
  return {
    ...isHuge ? virtual : {}, // zero-copy is not to be had without, and copies are no faster
    "C, two rte_rings": {
      start: (frameBytes) => startRtePath(isHuge, frameBytes),
      wanted: WANTED.rings,
    },
    "C, our own loop": {
      start: (frameBytes) => startOwnPath(file, frameBytes),
      wanted: WANTED.own,
    },
  };
}

interface PathPeer {
  readonly start: (frameBytes: number) => Promise<Peer>;
  readonly wanted: number;
}

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
 * second. The peers are pairs of `dpdk-testpmd`, flowgen and macswap, and two programs in C, one
 * core each. Then other functions, beside `macswap`.
 *
 * The region's file stays the same through the samples of a row, for its physical pages matter.
 */
export async function benchPath(options: BenchOptions): Promise<void> {
  const seconds = SAMPLE_SECONDS * options.scale;
  for (const { pages, isHuge } of MEMORIES) {
    for (const frameBytes of [64, 1500]) {
      const name = `memory round trip, ${pages}, ${frameBytes} B`;
      if (!options.isAsked(name)) continue;
      await using files = await regionFiles(isHuge, ["", "-c"]);
      const [region, other] = files.paths;
      await using row = new AsyncDisposableStack();
      await options.measure({
        ...ROW,
        name,
        settings: { burst: BURST, seconds },
        ours: () => sample(region, frameBytes, seconds, MACSWAP),
        peers: options.peers ? peerRows(peersOn(isHuge, other), frameBytes, seconds, row) : [],
      });
    }
  }
  for (const [what, functions] of Object.entries(FUNCTIONS)) {
    const name = `memory round trip, 64 B: ${what}`;
    if (!options.isAsked(name)) continue;
    await using files = await regionFiles(false, [""]);
    const [region] = files.paths;
    await options.measure({
      ...ROW,
      name,
      settings: { burst: BURST, seconds },
      ours: () => sample(region, 64, seconds, functions),
      peers: [{ name: "culvert macswap", sample: () => sample(region, 64, seconds, MACSWAP) }],
    });
  }
}

const ROW = { unit: "Mpps", better: "more", warmsUp: true } as const;

function sample(
  region: string,
  frameBytes: number,
  seconds: number,
  functions: readonly string[],
): Promise<number> {
  const start = () =>
    startGuest({ region, core: GUEST_CORE, functions, burst: BURST, idle: "poll" });
  return roundTrip({ region, frameBytes, seconds, start });
}

/** The peers of a row: each starts when it is first measured, and lives as long as `row` does. */
function peerRows(
  peers: Readonly<Record<string, PathPeer>>,
  frameBytes: number,
  seconds: number,
  row: AsyncDisposableStack,
): RowPeer[] {
  return Object.entries(peers).map(([name, { start, wanted }]) => {
    let peer: Peer | undefined;
    const sample = async () => {
      peer ??= row.use(await start(frameBytes));
      return await peer.sample(seconds);
    };
    return { name, wanted, sample };
  });
}

/** Files for regions, on hugetlbfs or in /dev/shm. */
async function regionFiles(
  isHuge: boolean,
  suffixes: readonly string[],
): Promise<AsyncDisposable & { paths: string[] }> {
  await using made = new AsyncDisposableStack();
  const mounted = isHuge && made.use(await mountHugepages(suffixes.length * REGION_BYTES));
  const folder = mounted ? mounted.path : "/dev/shm";
  const paths = suffixes.map((suffix) => `${folder}/culvert-bench-${Deno.pid}${suffix}`);
  for (const path of paths) made.use(await regionFile(path));
  const all = made.move();
  return { paths, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Rules of all five fields for the access list: only the last fits the frames of `FlowPort`. */
function accessList(count: number): string {
  const others = Array.from({ length: count - 1 }, (_, k) => {
    const from = `198.18.0.0/${16 + k % 8}:1-${9 + k}`; // all of these fit
    return `deny ${k % 4 === 0 ? "tcp" : "udp"} from ${from} to 198.19.${k}.0/24:${10 + k}-65535`;
  });
  return [...others, "allow udp from 198.18.0.0/15:1-1023 to 198.18.0.0/15:9-10"].join(", ");
}
