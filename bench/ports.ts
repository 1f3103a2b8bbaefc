import { runHost } from "../app/host/run_host.ts";
import { GuestProcess } from "./guest_process.ts";
import { type BenchOptions, compare, type Sample } from "./measurement.ts";
import { startPacketForwarder } from "./peers/packet.ts";
import { VethLab } from "./veth_lab.ts";

const SAMPLE_SECONDS = 3;
/** The forwarder has core 0; the generator has core 1, which our guest shares with it. */
const FORWARDER_CORE = 0;
const GENERATOR_CORE = 1;

/**
 * Ports: veth -> host -> guest process -> host -> veth, saturated by one generator; million frames
 * delivered per second. The peer is `dpdk-testpmd` on two `net_af_packet`, which has a core to
 * itself, where our guest shares one with the generator.
 */
export async function benchPorts(options: BenchOptions): Promise<void> {
  await using lab = await VethLab.open();
  for (const frameBytes of [64, 1500]) {
    const seconds = SAMPLE_SECONDS * options.scale;
    const peer: Sample = async () => {
      await using _testpmd = await startPacketForwarder({ ports: lab.near });
      return await measure(lab, frameBytes, seconds);
    };
    options.report(
      await compare(
        `veth -> host -> guest -> veth, ${frameBytes} B`,
        "Mpps",
        "more",
        options.pairs,
        () => sampleOurs(lab, frameBytes, seconds),
        options.peers ? { name: "DPDK testpmd af_packet", sample: peer } : undefined,
      ),
    );
  }
}

/** Frames delivered per second, in millions, over the middle of a generator's run. */
async function measure(lab: VethLab, frameBytes: number, seconds: number): Promise<number> {
  const generator = lab.generate(frameBytes, seconds + 1.5, GENERATOR_CORE);
  await pause(1000);
  const [start, before] = [performance.now(), await lab.delivered()];
  await pause(seconds * 1000);
  const frames = await lab.delivered() - before;
  const milliseconds = performance.now() - start;
  await generator.ended(60_000);
  return frames / milliseconds / 1000;
}

async function sampleOurs(lab: VethLab, frameBytes: number, seconds: number): Promise<number> {
  const stop = new AbortController();
  const region = `bench-${Deno.pid}`;
  const ready = Promise.withResolvers<void>();
  const host = runHost(
    {
      regions: [{
        name: region,
        size: 128 << 20, // for the milliseconds in which the generator has the guest's core
        mbufs: 32768,
        ringSize: 8192,
        guests: [{ number: 0, ports: lab.near.map((name) => ({ kind: "packet", name })) }],
      }],
      mtu: 1500,
      cores: [FORWARDER_CORE],
      burst: 32,
      idle: "adaptive",
      statsPeriod: 0,
    },
    new URL("../app/host/lcore_worker.ts", import.meta.url),
    stop.signal,
    (line) => line.includes("attached") && ready.resolve(),
  );
  const guest = GuestProcess.start(region, GENERATOR_CORE, "io");
  try {
    await Promise.race([host, ready.promise]);
    return await measure(lab, frameBytes, seconds);
  } finally {
    await guest.stop();
    stop.abort();
    await host;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
