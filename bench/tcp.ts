import { CulvertError } from "../ffi/error.ts";
import { type CableEnd, Network } from "../tests/kit/network.ts";
import { Child } from "./child.ts";
import { startForwarder } from "./culvert_process.ts";
import { type PeerForwarder, peersOf, type Start } from "./forwarder.ts";
import type { BenchOptions } from "./measurement.ts";
import { startGuestHop } from "./peers/guest_hop.ts";
import { requirePrograms } from "./peers/requirements.ts";
import { inNetns, startBridge } from "./wire.ts";

const SAMPLE_SECONDS = 2;

/** Host and guest have a core each, which they share with the two ends of the stream. */
const HOST_CORE = 0, GUEST_CORE = 1;

/** One end of a stream: a network namespace and its addresses. */
type End = Pick<CableEnd, "netns" | "ip4" | "ip6">;

/** How many times the rate is wanted of the bridge, and of the forwarder in C. */
const WANTED = { bridge: 0.6, bridgeTwoGuests: 0.4, hop: 0.9 };

/** Where a stream goes, by IPv4 or IPv6. */
const DIRECTIONS = ["from a to b", "from b to a"] as const;
const FAMILIES = ["IPv4", "IPv6"] as const;

/**
 * One TCP stream between two namespaces through host and guest, by iperf3, Gb/s that arrived. The
 * peers are the kernel's bridge in the place of both, and a forwarder in C with a guest thread,
 * each thread on a core of its own or both on one.
 */
export async function benchTcp(options: BenchOptions): Promise<void> {
  await requirePrograms("iperf3");
  await using network = new Network();
  const { a, b } = await network.namespacePair();
  const ports = packetPorts(a, b);
  const bridge = { start: () => startBridge([a.outer, b.outer]), wanted: WANTED.bridge };
  for (const family of FAMILIES) {
    for (const direction of DIRECTIONS) {
      await measureStream(options, {
        a,
        b,
        family,
        direction,
        way: "veth -> host -> guest -> veth",
      }, {
        ours: () => startOursBetween(ports),
        peers: {
          "kernel bridge": bridge,
          ...family === "IPv4" ? hops(ports) : {},
          ...family === "IPv4" && direction === "from a to b" ? onOneCore(ports) : {},
        },
      });
    }
  }
  await measureStream(options, {
    ...{ a, b, family: "IPv4", direction: "from a to b" },
    way: "veth -> host -> two guests in a row -> veth",
  }, {
    ours: () => startTwoGuests(ports),
    peers: { "kernel bridge": { ...bridge, wanted: WANTED.bridgeTwoGuests } },
  });
  await benchTaps(options, network);
}

/** The same between two TAPs. */
async function benchTaps(options: BenchOptions, network: Network): Promise<void> {
  const taps = [network.name("tap"), network.name("tap")];
  const netns = [await network.namespace(), await network.namespace()];
  const [a, b] = netns.map((netns, i): End => {
    return { netns, ip4: `10.78.0.${i + 1}`, ip6: `fd00:78::${i + 1}` };
  });
  const ports = taps.map((name) => `tap:${name}`);
  /** A forwarder makes the TAPs; they go with it. */
  const moved = (start: Start): Start => async () => {
    await using running = new AsyncDisposableStack();
    running.use(await start());
    for (const [i, { netns, ip4, ip6 }] of [a, b].entries()) {
      const name = taps[i];
      await network.run("ip", "link", "set", name, "netns", netns);
      const ip = (...args: string[]) => network.run("ip", "-n", netns, ...args, "dev", name);
      await ip("address", "add", `${ip4}/24`);
      await ip("-6", "address", "add", `${ip6}/64`, "nodad");
      await network.run("ip", "-n", netns, "link", "set", name, "up");
    }
    return running.move();
  };
  const peers = Object.entries({ ...hops(ports), ...onOneCore(ports) })
    .map(([name, { start, wanted }]) => [name, { start: moved(start), wanted }]);
  for (const direction of DIRECTIONS) {
    await measureStream(options, {
      ...{ a, b, family: "IPv4", direction },
      way: "tap -> host -> guest -> tap",
    }, {
      ours: moved(() => startOursBetween(ports)),
      peers: Object.fromEntries(direction === "from a to b" ? peers : peers.slice(0, 2)),
    });
  }
}

/** The forwarder in C where its threads have a core each, and where they share one. */
function hops(ports: readonly string[]): Record<string, PeerForwarder> {
  const hop = (guestCore: number, spin: number) => ({
    start: () => startGuestHop({ ports, cores: [HOST_CORE, guestCore], spin }),
    wanted: WANTED.hop,
  });
  return { "C, two cores": hop(GUEST_CORE, 20), "C, one core": hop(HOST_CORE, 0) };
}

/** Not a peer: ourselves, where host and guest share a core. */
function onOneCore(ports: readonly string[]): Record<string, PeerForwarder> {
  return { "culvert, one core": { start: () => startOursBetween(ports, "sleep", HOST_CORE) } };
}

/** A stream that is measured. */
interface Stream {
  readonly a: End;
  readonly b: End;
  readonly family: (typeof FAMILIES)[number];
  readonly direction: (typeof DIRECTIONS)[number];
  /** What it goes through, in words. */
  readonly way: string;
}

async function measureStream(
  { scale, peers, measure }: BenchOptions,
  { a, b, family, direction, way }: Stream,
  forwarders: { readonly ours: Start; readonly peers: Readonly<Record<string, PeerForwarder>> },
): Promise<void> {
  const seconds = Math.max(1, SAMPLE_SECONDS * scale);
  const sampleOf = (start: Start) => async () => {
    await using _forwarder = await start();
    const target = family === "IPv4" ? b.ip4 : b.ip6;
    return await stream(a, { netns: b.netns, target }, seconds, direction === "from b to a");
  };
  await measure({
    name: `${family} ${direction}, ${way}`,
    unit: "Gb/s",
    better: "more",
    settings: { seconds },
    warmsUp: true,
    ours: sampleOf(forwarders.ours),
    peers: peersOf(forwarders.peers, sampleOf, !peers),
  });
}

/** Host and guest between the two namespaces; both sleep when there is nothing to do. */
export function startOurs(a: CableEnd, b: CableEnd): Promise<AsyncDisposable> {
  return startOursBetween(packetPorts(a, b), "adaptive");
}

/** The same on one core, where a spin would keep the other one from it. */
export function startOnOneCore(a: CableEnd, b: CableEnd): Promise<AsyncDisposable> {
  return startOursBetween(packetPorts(a, b), "sleep", HOST_CORE);
}

function packetPorts(a: CableEnd, b: CableEnd): string[] {
  return [a, b].map(({ outer }) => `packet:${outer}`);
}

/** What spins keeps the ends of a stream from the core: so they sleep at once, unless told. */
function startOursBetween(
  ports: readonly string[],
  idle: "adaptive" | "sleep" = "sleep",
  guestCore: number = GUEST_CORE,
): Promise<AsyncDisposable> {
  return startForwarder({
    host: { core: HOST_CORE, idle },
    guests: [{ ports, core: guestCore, idle }],
  });
}

/** Two guests in a row, in one region, on one core. */
function startTwoGuests([a, b]: readonly string[]): Promise<AsyncDisposable> {
  const guest = { core: GUEST_CORE, idle: "sleep" } as const;
  return startForwarder({
    host: { core: HOST_CORE, idle: "sleep" },
    guests: [{ ...guest, ports: [a, "link:ab"] }, { ...guest, ports: ["link:ab", b] }],
  });
}

/** Gb/s of one stream, after a second that is not counted. */
async function stream(
  a: End,
  b: { readonly netns: string; readonly target: string },
  seconds: number,
  isReverse: boolean,
): Promise<number> {
  await using server = new Child("iperf3 -s", [
    ...[...inNetns(b.netns), "stdbuf", "-oL", "iperf3", "-s", "-1", "-B", b.target],
  ]);
  await server.hear(/listening/);
  await using client = new Child("iperf3 -c", [
    ...[...inNetns(a.netns), "iperf3", "-c", b.target, "-J", "-O", "1", "-t", String(seconds)],
    ...isReverse ? ["-R"] : [],
  ]);
  const { end, error } = JSON.parse(await client.finish());
  const bits = end?.sum_received?.bits_per_second;
  if (error || !(bits > 0)) throw new CulvertError(`Cannot measure TCP as iperf3 says: ${error}`);
  return bits / 1e9;
}
