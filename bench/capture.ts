import { fileURLToPath } from "node:url";
import { CulvertError } from "../ffi/error.ts";
import { Network } from "../tests/kit/network.ts";
import type { Turns } from "./capture_switch.ts";
import { Child } from "./child.ts";
import { HOST_REGION, startForwarder } from "./culvert_process.ts";
import type { BenchOptions } from "./measurement.ts";
import { ROOM } from "./ports.ts";
import { readingsOf } from "./readings.ts";
import { Wire } from "./wire.ts";

/** The host has core 0. The guest shares core 1 with the generator. */
const HOST_CORE = 0, OTHER_CORE = 1;

/** Bytes of a frame that are captured. */
const SNAP = 128;

/** A capture may cost a tenth of the rate. */
const WANTED = 0.9;

/**
 * Milliseconds with a capture, and without: what is recorded meanwhile has room, so that nobody has
 * to read; and how many such turns a sample has.
 */
const TURN_MS = 10, TURNS = 100;

/** A frame has two records, one at each port; of them, so many at most may find no room. */
const SEEN_MIN = 1.8, LOST_MAX = 0.01;

/** What a capture of both ports costs: the rate with it, and without, of the same host in turns. */
export async function benchCapture(
  { scale, peers, isAsked, measure }: BenchOptions,
): Promise<void> {
  await using network = new Network();
  const { a, b } = await network.namespacePair({ quiet: true });
  const wire = new Wire({ name: a.inner, netns: a.netns }, { name: b.inner, netns: b.netns });
  const turns = Math.ceil(TURNS * scale);
  for (const frameBytes of [64, 1500]) {
    const name = `veth -> host -> guest -> veth, ${frameBytes} B, captured`;
    if (!isAsked(name)) continue;
    await using _forwarder = await startForwarder({
      host: { core: HOST_CORE, idle: "adaptive", args: ROOM },
      guests: [{
        ports: [a, b].map(({ outer }) => `packet:${outer}`),
        core: OTHER_CORE,
        idle: "poll",
      }],
    });
    await using _load = await wire.load(frameBytes, OTHER_CORE);
    await using capture = await startSwitch(b.outer);
    const [on, off] = readingsOf(async () => {
      const text = await capture.ask(String(turns), /\}/);
      const found: Turns = JSON.parse(text);
      const { frames, records, lost } = found;
      if (records >= frames * SEEN_MIN && lost <= records * LOST_MAX) return [found.on, found.off];
      throw new CulvertError(
        `Cannot measure a capture as ${records} records of ${frames} frames were written, and ` +
          `${lost} had no room`,
      );
    }, 2);
    await measure({
      name,
      unit: "Mpps",
      better: "more",
      settings: { turns, turnMs: TURN_MS, snap: SNAP },
      ours: on,
      peers: peers ? [{ name: "no capture", sample: off, wanted: WANTED }] : [],
    });
  }
}

/** What switches a capture of the host's ports on and off. */
async function startSwitch(counted: string): Promise<Child> {
  const path = fileURLToPath(new URL("./capture_switch.ts", import.meta.url));
  const args = [HOST_REGION, counted, SNAP, TURN_MS, OTHER_CORE].map(String);
  await using starting = new AsyncDisposableStack();
  const child = starting.use(
    new Child("the capture", [Deno.execPath(), "run", "-A", "--no-check", path, ...args], {
      endBy: "input",
    }),
  );
  await child.hear(/ready/);
  starting.move();
  return child;
}
