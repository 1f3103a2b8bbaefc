import { Network } from "../tests/kit/network.ts";
import { startForwarder } from "./culvert_process.ts";
import { type PeerForwarder, peersOf, type Start } from "./forwarder.ts";
import type { BenchOptions } from "./measurement.ts";
import { makeLoop, rateWithoutLoss } from "./no_loss.ts";
import { startGuestHop } from "./peers/guest_hop.ts";
import { startPacketForwarder, startTapForwarder } from "./peers/packet.ts";
import { startBridge, Wire } from "./wire.ts";

const SAMPLE_SECONDS = 1;
/** The forwarder has core 0; the generator has core 1, which our guest shares with it. */
const FORWARDER_CORE = 0;
const GENERATOR_CORE = 1;

/** Rings and mbufs for the milliseconds in which the generator has the guest's core. */
export const ROOM: readonly string[] = [
  "--size",
  "128M",
  "--mbufs",
  "32768",
  "--ring-size",
  "8192",
];

/** How many times each peer's rate is wanted. */
const WANTED = { veth: 1.2, netTap: 6.5, hop: 0.95 };

/** The row of the search for a rate without loss. */
const NO_LOSS = { name: "veth -> host -> guest -> veth, 64 B, without loss", frameBytes: 64 };

/**
 * Ports: one generator saturates what lies between two interfaces; million frames delivered per
 * second. The peers have a core to themselves, where our guest shares one with the generator.
 */
export async function benchPorts(options: BenchOptions): Promise<void> {
  await using network = new Network();
  await benchNoLoss(options, network);
  await benchVeths(options, network);
  await benchTaps(options, network);
}

async function benchVeths(options: BenchOptions, network: Network): Promise<void> {
  const { a, b } = await network.namespacePair({ quiet: true });
  const near = [a.outer, b.outer];
  const wire = new Wire({ name: a.inner, netns: a.netns }, { name: b.inner, netns: b.netns });
  for (const frameBytes of [64, 1500]) {
    const row = {
      sample: (seconds: number) => wire.measure(frameBytes, seconds, GENERATOR_CORE),
    };
    const peers = (wanted?: number) => ({
      "DPDK testpmd af_packet": { start: () => startPacketForwarder({ ports: near }), wanted },
      "kernel bridge": { start: () => startBridge(near), wanted },
    });
    const afXdp = () => startPacketForwarder({ by: "af_xdp", ports: near });
    await measureForwarders(options, {
      ...row,
      name: `veth -> host -> guest -> veth, ${frameBytes} B`,
      ours: () => startOurs(near.map((name) => `packet:${name}`)),
      peers: peers(),
    });
    await measureForwarders(options, {
      ...row,
      name: `veth -> host -> guest -> veth, AF_XDP, ${frameBytes} B`,
      ours: () => startOurs(near.map((name) => `xdp:${name}`)),
      peers: {
        ...peers(WANTED.veth),
        "DPDK testpmd af_xdp": { start: afXdp, wanted: WANTED.veth },
      },
    });
  }
}

async function benchTaps(options: BenchOptions, network: Network): Promise<void> {
  const taps = [network.name("tap"), network.name("tap")];
  const ports = taps.map((name) => `tap:${name}`);
  const startHop = async () => {
    await using hop = new AsyncDisposableStack();
    hop.use(await startGuestHop({ ports, cores: [FORWARDER_CORE, GENERATOR_CORE], spin: 20 }));
    for (const name of taps) await network.run("ip", "link", "set", name, "up");
    return hop.move();
  };
  const wire = new Wire({ name: taps[0] }, { name: taps[1] });
  await measureForwarders(options, {
    name: "tap -> host -> guest -> tap, 64 B",
    sample: (seconds) => wire.measure(64, seconds, GENERATOR_CORE),
    ours: () => startOurs(ports),
    peers: {
      "DPDK testpmd net_tap": { start: () => startTapForwarder(taps), wanted: WANTED.netTap },
      "C, two cores": { start: startHop, wanted: WANTED.hop },
    },
  });
}

/** A load, and what may carry it. */
interface Forwarders {
  readonly name: string;
  /** Measures what forwards just now. */
  readonly sample: (seconds: number) => Promise<number>;
  readonly ours: Start;
  readonly peers: Readonly<Record<string, PeerForwarder>>;
}

/** RFC 2544's throughput: the highest rate at which nothing is lost. */
async function benchNoLoss(options: BenchOptions, network: Network): Promise<void> {
  const { name, frameBytes } = NO_LOSS;
  if (!options.isAsked(name)) return;
  const loop = await makeLoop(network);
  const { outer } = loop;
  await measureForwarders(options, {
    name,
    sample: (seconds) => rateWithoutLoss(loop, frameBytes, seconds / 6, GENERATOR_CORE),
    ours: () => startOurs(outer.map((name) => `packet:${name}`)),
    peers: {
      "DPDK testpmd af_packet": { start: () => startPacketForwarder({ ports: outer }) },
      "kernel bridge": { start: () => startBridge(outer) },
    },
  });
}

async function measureForwarders(
  { scale, peers, measure }: BenchOptions,
  { name, sample, ...forwarders }: Forwarders,
): Promise<void> {
  const seconds = SAMPLE_SECONDS * scale;
  const sampleOf = (start: Start) => async () => {
    await using _forwarder = await start();
    return await sample(seconds);
  };
  await measure({
    name,
    unit: "Mpps",
    better: "more",
    settings: { seconds },
    warmsUp: true,
    ours: sampleOf(forwarders.ours),
    peers: peersOf(forwarders.peers, sampleOf, !peers),
  });
}

function startOurs(ports: readonly string[]): Promise<AsyncDisposable> {
  return startForwarder({
    host: { core: FORWARDER_CORE, idle: "adaptive", args: ROOM },
    guests: [{ ports, core: GENERATOR_CORE, idle: "poll" }],
  });
}
