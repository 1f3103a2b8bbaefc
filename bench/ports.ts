import { Network } from "../tests/kit/network.ts";
import { startForwarder } from "./culvert_process.ts";
import type { BenchOptions } from "./measurement.ts";
import { startPacketForwarder, startTapForwarder } from "./peers/packet.ts";
import { startBridge, Wire } from "./wire.ts";

const SAMPLE_SECONDS = 3;
/** The forwarder has core 0; the generator has core 1, which our guest shares with it. */
const FORWARDER_CORE = 0;
const GENERATOR_CORE = 1;

/** Rings and mbufs for the milliseconds in which the generator has the guest's core. */
const ROOM = ["--size", "128M", "--mbufs", "32768", "--ring-size", "8192"];

/** What forwards between two ports, from now until it is disposed. */
type Start = () => Promise<AsyncDisposable>;

/**
 * Ports: one generator saturates what lies between two interfaces; million frames delivered per
 * second. The peers have a core to themselves, where our guest shares one with the generator.
 */
export async function benchPorts(options: BenchOptions): Promise<void> {
  await using network = new Network();
  const { a, b } = await network.namespacePair({ quiet: true });
  const near = [a.outer, b.outer];
  const wire = new Wire({ name: a.inner, netns: a.netns }, { name: b.inner, netns: b.netns });
  const taps = [network.name("tap"), network.name("tap")];
  const kinds = [["packet", ""], ["xdp", ", AF_XDP"]];
  for (const [kind, by, frameBytes] of kinds.flatMap((kind) => [[...kind, 64], [...kind, 1500]])) {
    const row = `veth -> host -> guest -> veth${by}, ${frameBytes} B`;
    await measureForwarders(options, row, Number(frameBytes), {
      wire,
      ours: () => startOurs(near.map((name) => `${kind}:${name}`)),
      peers: {
        "DPDK testpmd af_packet": () => startPacketForwarder({ ports: near }),
        "DPDK testpmd af_xdp": () => startPacketForwarder({ by: "af_xdp", ports: near }),
        "kernel bridge": () => startBridge(near),
      },
    });
  }
  for (const frameBytes of [64, 1500]) {
    await measureForwarders(options, `tap -> host -> guest -> tap, ${frameBytes} B`, frameBytes, {
      wire: new Wire({ name: taps[0] }, { name: taps[1] }),
      ours: () => startOurs(taps.map((name) => `tap:${name}`)),
      peers: { "DPDK testpmd net_tap": () => startTapForwarder(taps) },
    });
  }
}

/** A load, and what may carry it. */
interface Forwarders {
  readonly wire: Wire;
  readonly ours: Start;
  readonly peers: Readonly<Record<string, Start>>;
}

async function measureForwarders(
  { scale, peers, measure }: BenchOptions,
  name: string,
  frameBytes: number,
  forwarders: Forwarders,
): Promise<void> {
  const seconds = SAMPLE_SECONDS * scale;
  const sampleOf = (start: Start) => async () => {
    await using _forwarder = await start();
    return await forwarders.wire.measure(frameBytes, seconds, GENERATOR_CORE);
  };
  await measure({
    name,
    unit: "Mpps",
    better: "more",
    inPlot: frameBytes === 64,
    settings: { seconds },
    warmsUp: true,
    ours: sampleOf(forwarders.ours),
    peers: peers
      ? Object.entries(forwarders.peers).map(([name, start]) => ({ name, sample: sampleOf(start) }))
      : [],
  });
}

function startOurs(ports: readonly string[]): Promise<AsyncDisposable> {
  return startForwarder({
    host: { core: FORWARDER_CORE, idle: "adaptive", args: ROOM },
    guests: [{ ports, core: GENERATOR_CORE, idle: "poll" }],
  });
}
