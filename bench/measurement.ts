/** One line of the results; see {@linkcode compare} for the ratio. */
export interface Measurement {
  readonly name: string;
  readonly unit: string;
  /** Median of ours. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** What was measured beside it, in the same run, in turns. */
  readonly peer?: string;
  /** Median of the peer's. */
  readonly peerValue?: number;
  /** Median of the pairs' ratios: above 1 where we are better. */
  readonly ratio?: number;
}

/** What all sections of the bench are told. */
export interface BenchOptions {
  /** How many turns of ours and the peer's. */
  readonly pairs: number;
  /** How long one sample is, relative to a full one. */
  readonly scale: number;
  /** Whether to run DPDK beside us. */
  readonly peers: boolean;
  /** Told each result. */
  readonly report: (measurement: Measurement) => void;
}

/** One sample, in the measurement's unit. */
export type Sample = () => Promise<number>;

/** Whether more or less is better. */
export type Better = "more" | "less";

/** The middle value; of an even number the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Measure in turns, ours, peer, ours, peer ..., since the machine drifts: ratios within a pair hold
 * where absolute figures do not.
 *
 * @param pairs How many turns.
 */
export async function compare(
  name: string,
  unit: string,
  better: Better,
  pairs: number,
  ours: Sample,
  peer?: { name: string; sample: Sample },
): Promise<Measurement> {
  const values: number[] = [];
  const peerValues: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    values.push(await ours());
    if (peer) peerValues.push(await peer.sample());
  }
  const own = {
    name,
    unit,
    value: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
  };
  if (!peer) return own;
  const ratios = values.map((value, i) =>
    better === "more" ? value / peerValues[i] : peerValues[i] / value
  );
  return { ...own, peer: peer.name, peerValue: median(peerValues), ratio: median(ratios) };
}

const HEAD = ["what", "unit", "culvert", "(min..max)", "peer", "peer's", "ratio", ""];

/** Bar characters for a ratio of 1. */
const BAR = 10;

/** The results as lines of a table. */
export function tableOf(measurements: readonly Measurement[]): string[] {
  const rows = [HEAD, ...measurements.map(row)];
  const widths = HEAD.map((_, i) => Math.max(...rows.map((cells) => cells[i].length)));
  return rows.map((cells) =>
    cells.map((cell, i) =>
      i < 2 || i === 4 || i === 7 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
    )
      .join("  ").trimEnd()
  );
}

function row(m: Measurement): string[] {
  const number = (value: number | undefined) => value === undefined ? "" : value.toPrecision(3);
  return [
    m.name,
    m.unit,
    number(m.value),
    `(${number(m.min)}..${number(m.max)})`,
    m.peer ?? "",
    number(m.peerValue),
    m.ratio === undefined ? "" : m.ratio.toFixed(2),
    m.ratio === undefined ? "" : barOf(m.ratio),
  ];
}

/** Our side of a ratio, drawn: `|` stands where the peer is. */
function barOf(ratio: number): string {
  const length = Math.min(Math.round(ratio * BAR), 6 * BAR);
  return length < BAR
    ? "#".repeat(length) + " ".repeat(BAR - length) + "|"
    : "#".repeat(BAR) + "|" + "#".repeat(length - BAR);
}

/** One JSON object, as a line of the file that `--json` names. */
export function jsonOf({ name, unit, value, peer, peerValue, ratio }: Measurement): string {
  return JSON.stringify({ name, unit, value, peer, peerValue, ratio });
}
