import { CulvertError } from "../ffi/error.ts";
import { type CableEnd, Network } from "../tests/kit/network.ts";
import { Child } from "./child.ts";
import { type BenchOptions, median } from "./measurement.ts";
import { requirePrograms } from "./peers/requirements.ts";
import { startOurs } from "./tcp.ts";
import { inNetns, startBridge } from "./wire.ts";

/** Pings of a sample, and the seconds between two: long enough for both sides to fall asleep. */
const PINGS = 200, INTERVAL = 0.02;

/**
 * Ping between two namespaces through host and guest that sleep when nothing comes: median and
 * worst round trip of a sample, in microseconds. The peer is the kernel's bridge.
 */
export async function benchLatency(options: BenchOptions): Promise<void> {
  await requirePrograms("ping");
  await using network = new Network();
  const { a, b } = await network.namespacePair();
  const pings = Math.max(20, Math.round(PINGS * options.scale));
  const sampleOf = (start: () => Promise<AsyncDisposable>, of: (times: number[]) => number) => {
    return async () => {
      await using _forwarder = await start();
      await ping(a, b, 5); // resolves the address
      return of(await ping(a, b, pings));
    };
  };
  const bridge = () => startBridge([a.outer, b.outer]);
  for (const [what, of] of [["p50", median], ["worst", worst]] as const) {
    await options.measure({
      name: `ping, host and guest asleep, ${what}`,
      unit: "us",
      better: "less",
      inPlot: what === "p50",
      settings: { pings, interval: INTERVAL },
      warmsUp: true,
      ours: sampleOf(() => startOurs(a, b), of),
      peers: options.peers ? [{ name: "kernel bridge", sample: sampleOf(bridge, of) }] : [],
    });
  }
}

const worst = (times: readonly number[]) => Math.max(...times);

/** Round trips in microseconds; each ping has to come back. */
async function ping(a: CableEnd, b: CableEnd, count: number): Promise<number[]> {
  await using child = new Child("ping", [
    ...[...inNetns(a.netns), "ping", "-c", String(count), "-i", String(INTERVAL), b.ip4],
  ]);
  const text = await child.finish();
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000);
  if (times.length === count) return times;
  throw new CulvertError(`Cannot measure pings as ${times.length} of ${count} came back`);
}
