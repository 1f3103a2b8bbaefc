import type { Measurement } from "./measurement.ts";
import { moodOf } from "./mood.ts";
import { figure } from "./results.ts";

const HEAD = ["what", "unit", "culvert", "min", "max", "peer", "peer's", "ratio", "min", "max", ""];

/** Columns of words, which begin at their left; figures end at their right. */
const WORDS = [0, 1, 5, 10];

/** Bar characters for a ratio of 1. */
const BAR = 10;

/** The results as lines for a terminal: a line for each peer. */
export function tableLines(measurements: readonly Measurement[]): string[] {
  const rows = [HEAD, ...measurements.flatMap((m) => cells(m, barOf))];
  return aligned(rows, "  ").map((line) => line.trimEnd());
}

const MARKDOWN_HEAD = HEAD.with(-1, "lines");

/** The results as a Markdown table: one number a cell; the last column is the mood. */
export function markdownTable(measurements: readonly Measurement[]): string {
  const rows = measurements.flatMap((m) => cells(m, () => moodOf(m.lineNs)));
  const isUsed = MARKDOWN_HEAD.map((_, i) => i < 3 || rows.some((row) => row[i] !== ""));
  const used = (row: readonly string[]) => row.filter((_, i) => isUsed[i]);
  const widths = used(MARKDOWN_HEAD).map((head, i) =>
    Math.max(3, head.length, ...rows.map((row) => used(row)[i].length))
  );
  const isWord = used(MARKDOWN_HEAD.map((_, i) => WORDS.includes(i) ? "w" : "")).map(Boolean);
  const line = (row: readonly string[]) =>
    `| ${
      row.map((cell, i) => isWord[i] ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(
        " | ",
      )
    } |`;
  const rule = `| ${
    widths.map((width, i) => isWord[i] ? "-".repeat(width) : "-".repeat(width - 1) + ":").join(
      " | ",
    )
  } |`;
  return [line(used(MARKDOWN_HEAD)), rule, ...rows.map((row) => line(used(row)))].join("\n");
}

/** A row without peers, or one for each; `last` makes the last cell. */
function cells(m: Measurement, last: (ratio: number | undefined) => string): string[][] {
  const number = (value: number | undefined) => value === undefined ? "" : figure(value);
  const ours = [m.name, m.unit, number(m.value), number(m.min), number(m.max)];
  if (m.peers.length === 0) return [[...ours, "", "", "", "", "", last(undefined)]];
  return m.peers.map(({ name, value, ratio }) => [
    ...ours,
    ...[name, number(value), number(ratio.value), number(ratio.min), number(ratio.max)],
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

function aligned(rows: readonly string[][], gap: string): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => WORDS.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))
      .join(gap)
  );
}
