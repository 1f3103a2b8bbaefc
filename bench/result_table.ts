import type { Measurement } from "./measurement.ts";
import { figure } from "./results.ts";

const HEAD = ["what", "unit", "culvert", "min", "max", "V8's limit"]
  .concat(["peer", "peer's", "ratio", "min", "max", "wanted", ""]);

/** Columns of words, which begin at their left; figures end at their right. */
const WORDS = [0, 1, 6, 12];

/** Bar characters for a ratio of 1. */
const BAR = 10;

/** The results as lines for a terminal: a line for each peer. */
export function tableLines(measurements: readonly Measurement[]): string[] {
  const rows = measurements.flatMap((m) => cells(m, barOf));
  const used = usedColumns(rows);
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  return all.map((row) => used.map((i) => padded(row[i], i, widths[i])).join("  ").trimEnd());
}

/** The results as a Markdown table: one number a cell; the last says whether lines were near. */
export function markdownTable(measurements: readonly Measurement[]): string {
  const rows = measurements.flatMap((m) => cells(m, () => m.lines ?? ""));
  const all = [HEAD.with(-1, "lines"), ...rows];
  const used = usedColumns(rows);
  const widths = used.map((i) => Math.max(3, ...all.map((row) => row[i].length)));
  const [head, ...body] = all.map((row) => used.map((i, at) => padded(row[i], i, widths[at])));
  const rule = used.map((i, at) => "-".repeat(widths[at] - 1) + (WORDS.includes(i) ? "-" : ":"));
  return [head, rule, ...body].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** Name, unit and our figure, and what else some row has. */
function usedColumns(rows: readonly string[][]): number[] {
  return HEAD.flatMap((_, i) => i < 3 || rows.some((row) => row[i] !== "") ? [i] : []);
}

function padded(cell: string, column: number, width: number): string {
  return WORDS.includes(column) ? cell.padEnd(width) : cell.padStart(width);
}

/** A row without peers, or one for each; `last` makes the last cell. */
function cells(m: Measurement, last: (ratio: number | undefined) => string): string[][] {
  const number = (value: number | undefined) => value === undefined ? "" : figure(value);
  const ours = [m.name, m.unit, ...[m.value, m.min, m.max, m.limit].map(number)];
  if (m.peers.length === 0) return [[...ours, "", "", "", "", "", "", last(undefined)]];
  return m.peers.map(({ name, value, ratio, wanted }) => [
    ...ours,
    ...[name, ...[value, ratio.value, ratio.min, ratio.max, wanted].map(number)],
    last(ratio.value),
  ]);
}

/** Our side of a ratio, drawn: `|` stands where the peer is. */
function barOf(ratio: number | undefined): string {
  if (ratio === undefined) return "";
  const length = Math.min(Math.round(ratio * BAR), 6 * BAR);
  return length < BAR
    ? "#".repeat(length) + " ".repeat(BAR - length) + "|"
    : "#".repeat(BAR) + "|" + "#".repeat(length - BAR);
}
