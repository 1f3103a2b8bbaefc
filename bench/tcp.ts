import { CulvertError } from "../ffi/error.ts";
import { type CableEnd, Network } from "../tests/kit/network.ts";
import { Child } from "./child.ts";
import { startForwarder } from "./culvert_process.ts";
import type { BenchOptions } from "./measurement.ts";
import { requirePrograms } from "./peers/requirements.ts";
import { inNetns, startBridge } from "./wire.ts";

const SAMPLE_SECONDS = 3;

/** Host and guest have a core each, which they share with the two ends of the stream. */
const HOST_CORE = 0, GUEST_CORE = 1;

/**
 * One TCP stream between two namespaces through host and guest, by iperf3, Gb/s that arrived. The
 * peer is the kernel's bridge in the place of both.
 */
export async function benchTcp(options: BenchOptions): Promise<void> {
  await requirePrograms("iperf3");
  await using network = new Network();
  const { a, b } = await network.namespacePair();
  const seconds = Math.max(1, SAMPLE_SECONDS * options.scale);
  for (const direction of ["from a to b", "from b to a"]) {
    const sampleOf = (start: () => Promise<AsyncDisposable>) => async () => {
      await using _forwarder = await start();
      return await stream(a, b, seconds, direction === "from b to a");
    };
    await options.measure({
      name: `TCP, veth -> host -> guest -> veth, ${direction}`,
      unit: "Gb/s",
      better: "more",
      inPlot: direction === "from a to b",
      settings: { seconds },
      warmsUp: true,
      ours: sampleOf(() => startOurs(a, b)),
      peers: options.peers
        ? [{ name: "kernel bridge", sample: sampleOf(() => startBridge([a.outer, b.outer])) }]
        : [],
    });
  }
}

/** Host and guest between the two namespaces; both sleep when there is nothing to do. */
export function startOurs(a: CableEnd, b: CableEnd): Promise<AsyncDisposable> {
  const ports = [a, b].map(({ outer }) => `packet:${outer}`);
  return startForwarder({
    host: { core: HOST_CORE, ports, idle: "adaptive" },
    guest: { core: GUEST_CORE, idle: "adaptive" },
  });
}

/** Gb/s of one stream, after a second that is not counted. */
async function stream(
  a: CableEnd,
  b: CableEnd,
  seconds: number,
  isReverse: boolean,
): Promise<number> {
  await using server = new Child("iperf3 -s", [
    ...[...inNetns(b.netns), "stdbuf", "-oL", "iperf3", "-s", "-1", "-B", b.ip4],
  ]);
  await server.hear(/listening/);
  await using client = new Child("iperf3 -c", [
    ...[...inNetns(a.netns), "iperf3", "-c", b.ip4, "-J", "-O", "1", "-t", String(seconds)],
    ...isReverse ? ["-R"] : [],
  ]);
  const { end, error } = JSON.parse(await client.finish());
  const bits = end?.sum_received?.bits_per_second;
  if (error || !(bits > 0)) throw new CulvertError(`Cannot measure TCP as iperf3 says: ${error}`);
  return bits / 1e9;
}
