import { UsageError } from "../../ffi/error.ts";
import { decodeRegion, withLives } from "../inspect/decode.ts";
import { findPciRegion, findRegion, type FoundRegion } from "../inspect/find_region.ts";
import type { RegionReport } from "../inspect/region_report.ts";
import { reportText } from "../inspect/report_text.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { regionNames } from "../region/listening_servers.ts";
import { stdout } from "../linux/output.ts";
import { sayFor } from "./messages.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { pause } from "./pause.ts";
import { stopSignal } from "./stop_signal.ts";
import type { INSPECT } from "./tables/inspect.ts";

/** What `culvert inspect` is asked to do. */
export interface InspectOptions {
  /** A region of this machine, by name or path; or else the PCI device that it is. */
  readonly source: { region: string } | { pci: string };
  /** Print JSON. */
  readonly json: boolean;
  /** Seconds between two reports; 0 for one report. */
  readonly watch: number;
}

/**
 * Milliseconds between two looks. A host or guest that lives beats at least four times a second: a
 * heartbeat that is the same after this time stands still.
 */
const LOOK_MS = 500;

/**
 * What the command line of `culvert inspect` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function inspectOptions(
  { values, positionals }: Parsed<typeof INSPECT>,
): InspectOptions {
  const { region, pci, json, watch = 0 } = values;
  const regions = [...positionals, ...region === undefined ? [] : [region]];
  const named = [...regions, ...pci === undefined ? [] : [`--pci ${pci}`]];
  if (named.length !== 1) {
    throw new UsageError(
      `Cannot inspect ${
        named.join(", ") || "nothing"
      }: name one region; there are ${regionNames()}`,
    );
  }
  if (pci !== undefined) return { source: { pci }, json, watch };
  checkUsage(() => checkRegionName(regions[0]));
  return { source: { region: regions[0] }, json, watch };
}

/**
 * `culvert inspect`: returns the exit status.
 *
 * @throws {CulvertError} if there is no such region.
 */
export async function inspectCommand(parsed: Parsed<typeof INSPECT>): Promise<number> {
  const options = inspectOptions(parsed);
  const { source } = options;
  const found = "pci" in source ? findPciRegion(source.pci) : findRegion(source.region);
  try {
    await report(found, options);
  } finally {
    found.memory.close();
  }
  return 0;
}

async function report(found: FoundRegion, { json, watch }: InspectOptions): Promise<void> {
  const signal = watch > 0 ? stopSignal(sayFor("inspect")) : undefined;
  let before = decodeRegion(found.memory);
  await pause(LOOK_MS, signal);
  while (!signal?.aborted) {
    const now = withLives(before, decodeRegion(found.memory));
    const text = json ? jsonText(found.source, now, watch > 0) : reportText(found.source, now);
    stdout.line(json || !signal ? text : `${text}\n`); // reports apart
    await stdout.flush();
    if (!signal || stdout.isBroken) return;
    before = now;
    await pause(watch * 1000, signal);
  }
}

function jsonText(source: string, report: RegionReport, isLine: boolean): string {
  return JSON.stringify({ source, ...report }, undefined, isLine ? undefined : 2);
}
