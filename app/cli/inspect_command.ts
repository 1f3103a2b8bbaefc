import { parseArgs } from "node:util";
import { UsageError } from "../../ffi/error.ts";
import { decodeRegion, withLives } from "../inspect/decode.ts";
import { findPciRegion, findRegion, type FoundRegion } from "../inspect/find_region.ts";
import type { RegionReport } from "../inspect/region_report.ts";
import { reportText } from "../inspect/report_text.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { checkUsage, readNumber, stopSignal } from "./options.ts";

const USAGE = `culvert inspect - decode a region without disturbing it

usage: culvert inspect REGION [--json] [--watch SECONDS]
       culvert inspect --pci auto|ADDRESS [--json] [--watch SECONDS]

  REGION               a region's NAME or the PATH of its memory; /proc/PID/fd/N will do
  --pci auto|ADDRESS   in a VM: the first ivshmem device, or the one at an address
  --json               for programs; what cannot be told is null
  --watch SECONDS      again and again, until SIGINT; with --json a line each time
  --help               show this text

Shows header, guests, channels, rings with their fill, mempools and memzones, and what the
host has counted. The region is mapped for reading alone, and no server is asked: nobody
notices. Host and guests go on meanwhile, so that what is shown together are words of
slightly different moments. A region that is half-built, closed, of another version or
spoiled is described as far as it can be. Do not truncate a file that is being looked at.

Exit status: 0, 1 if there is nothing to look at, 2 for a wrong command line.

example: culvert inspect culvert0
`;

/** What {@linkcode readInspectOptions} reads. */
export interface InspectOptions {
  /** A region of this machine, by name or path; or else the PCI device that it is. */
  readonly source: { region: string } | { pci: string };
  /** Print JSON. */
  readonly json: boolean;
  /** Seconds between two reports; 0 for one report. */
  readonly watch: number;
}

/** Hosts beat a hundred times a second, guests ten times: a heart that rests so long stands still. */
const LOOK_MS = 500;

/**
 * Read the options of `culvert inspect`; undefined if help was asked for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function readInspectOptions(args: string[]): InspectOptions | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const { pci } = values;
  if (positionals.length + (pci === undefined ? 0 : 1) !== 1) {
    const named = [...positionals, ...pci === undefined ? [] : [`--pci ${pci}`]].join(", ");
    throw new UsageError(
      `Cannot inspect ${named || "nothing"}: name one region, as in culvert inspect culvert0`,
    );
  }
  if (pci === undefined) checkUsage(() => checkRegionName(positionals[0]));
  return {
    source: pci === undefined ? { region: positionals[0] } : { pci },
    json: values.json,
    watch: values.watch === undefined ? 0 : readNumber("--watch", values.watch, 1, 86400),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        pci: { type: "string" },
        json: { type: "boolean", default: false },
        watch: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`Cannot read the command line: ${error.message}`);
  }
}

/**
 * `culvert inspect`: returns the exit status.
 *
 * @throws {CulvertError} if there is no such region.
 */
export async function inspectCommand(args: string[]): Promise<number> {
  const options = readInspectOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
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
  const signal = watch > 0 ? stopSignal() : undefined;
  let before = decodeRegion(found.memory);
  await pause(LOOK_MS, signal);
  while (!signal?.aborted) {
    const now = withLives(before, decodeRegion(found.memory));
    console.log(json ? jsonText(found.source, now, watch > 0) : reportText(found.source, now));
    if (!signal) return;
    if (!json) console.log(); // reports apart
    before = now;
    await pause(watch * 1000, signal);
  }
}

function jsonText(source: string, report: RegionReport, isLine: boolean): string {
  return JSON.stringify({ source, ...report }, undefined, isLine ? undefined : 2);
}

/** Wait, but no longer than until `signal`. */
function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}
