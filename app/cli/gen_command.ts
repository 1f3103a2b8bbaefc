import { UsageError } from "../../ffi/error.ts";
import { IMIX, SIZE_MIN, type Sizes, SIZES_MAX, type TrialResult } from "../gen/gen_options.ts";
import { openGenerator } from "../gen/run_gen.ts";
import { searchThroughput } from "../gen/search.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { stdout } from "../linux/output.ts";
import { readRate } from "../port/pcap_options.ts";
import { parsePortSpec, type PortSpec } from "../port/port_spec.ts";
import { takesAbout } from "./duration.ts";
import { genReport, stepText } from "./gen_report.ts";
import { sayFor } from "./messages.ts";
import type { Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { GEN } from "./tables/gen.ts";

const LCORE_URL = new URL("../gen/lcore_worker.ts", import.meta.url);

/** Most trials of a search. */
const TRIALS = 9;

/** Longest frame: 1500 bytes behind the Ethernet header. */
const SIZE_MAX = 1514;

/**
 * `culvert gen`: returns the exit status.
 *
 * @throws {UsageError} if an option is wrong.
 * @throws {CulvertError} if a port cannot be opened.
 */
export async function genCommand(
  { values, positionals: [txName, rxName] }: Parsed<typeof GEN>,
): Promise<number> {
  const { latency, json, seconds } = values;
  const options = {
    tx: readPort(txName),
    ...rxName === undefined || rxName === txName ? {} : { rx: readPort(rxName) },
    ...values.to === undefined ? {} : { to: readAddress(values.to) },
    sizes: readSizes(values.sizes),
    ...{ latency, core: readCore(values.core) },
  };
  const rate = readRate(values.rate);
  const say = sayFor("gen");
  if (values.search) say(`up to ${TRIALS} trials: ${takesAbout(TRIALS * seconds)}`);
  const generator = await openGenerator(options, LCORE_URL, stopSignal(say));
  let result: TrialResult | undefined;
  try {
    const trial = (rate: number) => generator.trial({ rate, seconds });
    result = values.search
      ? await searchThroughput(rate, values.loss / 100, trial, (step) => {
        stdout.line(json ? JSON.stringify(step) : stepText(step));
      })
      : await trial(rate);
  } finally {
    await generator.close();
  }
  if (result === undefined) {
    if (values.search) stdout.line(json ? "null" : "no rate without loss");
    return 1;
  }
  stdout.line(json ? JSON.stringify(result) : genReport(result));
  return result.received > 0 ? 0 : 1;
}

function readPort(text: string): PortSpec {
  const spec = parsePortSpec(text);
  if (spec.queues) {
    throw new UsageError(`Cannot send by ${text}: leave out queues=, it has one core`);
  }
  if (spec.kind === "packet" || spec.kind === "tap") return spec;
  throw new UsageError(
    `Cannot send frames by ${text} as that has no other end: write packet:IFACE or tap:NAME`,
  );
}

function readSizes(text: string): Sizes {
  if (text === "imix") return IMIX;
  const sizes = text.split(",").map((size) => /^\d+$/.test(size) ? Number(size) : NaN);
  const arePossible = sizes.every((size) => size >= SIZE_MIN && size <= SIZE_MAX);
  if (arePossible && sizes.length <= SIZES_MAX) return sizes;
  throw new UsageError(
    `Cannot use --sizes ${text} as up to ${SIZES_MAX} sizes from ${SIZE_MIN} to ${SIZE_MAX} are ` +
      `wanted, with commas between, or imix`,
  );
}

function readAddress(text: string): Uint8Array {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    return Uint8Array.fromHex(text.replaceAll(":", ""));
  }
  throw new UsageError(`Cannot use --to ${text} as it is no MAC address: write 02:00:00:00:00:01`);
}

function readCore(text: string | undefined): number {
  const cores = text === undefined ? usableCores().slice(-1) : parseCoreList(text);
  if (cores.length === 1) return cores[0];
  throw new UsageError(`Cannot use --core ${text} as one thread does it all: name one core`);
}
