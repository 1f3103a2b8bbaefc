import { UsageError } from "../../ffi/error.ts";

/** What a pcap port replays and writes. */
export interface PcapOptions {
  /** The capture whose frames it receives; without one it receives none. */
  readonly input?: string;
  /** Whether it begins again at the capture's end. */
  readonly loops: boolean;
  /** Frames a second, Infinity for as many as are taken; undefined: as the capture has them. */
  readonly rate?: number;
  /** The file that gets what it sends; without one that is thrown away. */
  readonly output?: string;
}

const FORM = "write pcap:IN.pcapng,loop,rate=1M,w=OUT.pcapng, each part of which may be left out";

/**
 * Read `IN,loop,rate=RATE,w=OUT`. File names have no comma.
 *
 * @throws {UsageError} if it is not that.
 */
export function parsePcapOptions(text: string): PcapOptions {
  const [input, ...words] = text.split(",");
  const found: { loops: boolean; rate?: number; output?: string } = { loops: false };
  for (const word of words) {
    const value = word.slice(word.indexOf("=") + 1);
    if (word === "loop") found.loops = true;
    else if (word.startsWith("rate=")) found.rate = readRate(value);
    else if (word.startsWith("w=") && value !== "") found.output = value;
    else throw new UsageError(`Cannot use port "pcap:${text}" as "${word}" is unknown: ${FORM}`);
  }
  if (input === "" && found.output === undefined) {
    throw new UsageError(`Cannot use port "pcap:${text}" as it names no file: ${FORM}`);
  }
  if (input === "" && (found.loops || found.rate !== undefined)) {
    throw new UsageError(`Cannot use port "pcap:${text}" as there is nothing to replay: ${FORM}`);
  }
  return input === "" ? found : { input, ...found };
}

/**
 * Read frames a second: `1000`, `1.5M`, `max`.
 *
 * @throws {UsageError} if it is none.
 */
export function readRate(text: string): number {
  if (text === "max") return Infinity;
  const [, number, unit] = /^(\d+(?:\.\d+)?)([kKM]?)$/.exec(text) ?? [];
  const rate = Number(number) * { "": 1, "k": 1e3, "K": 1e3, "M": 1e6 }[unit ?? ""]!;
  if (rate > 0) return rate;
  throw new UsageError(
    `Cannot use rate ${text} as frames a second are wanted: write 1000, 250k, 1.5M or max`,
  );
}
